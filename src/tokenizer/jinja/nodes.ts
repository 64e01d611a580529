import type { Value } from './values.js';

/** Where in the source a node stands: UTF-16 offsets. */
interface At {
  start: number;
  end: number;
}

export interface Argument {
  kind: 'positional' | 'named' | 'list' | 'dict';
  name?: string;
  value: Expression;
}

export type Expression = At &
  (
    | { type: 'constant'; value: Value }
    | { type: 'name'; name: string }
    | { type: 'list' | 'tuple' | 'concat'; items: Expression[] }
    | { type: 'dict'; entries: [Expression, Expression][] }
    | { type: 'binary'; operator: string; left: Expression; right: Expression }
    | { type: 'and' | 'or'; left: Expression; right: Expression }
    | { type: 'not' | 'negative' | 'positive'; value: Expression }
    | { type: 'compare'; first: Expression; rest: { operator: string; value: Expression }[] }
    | { type: 'condition'; test: Expression; yes: Expression; no: Expression | undefined }
    | { type: 'attribute'; object: Expression; name: string }
    | { type: 'item'; object: Expression; key: Expression }
    | { type: 'slice'; parts: (Expression | undefined)[] }
    | { type: 'call'; callee: Expression; args: Argument[] }
    | { type: 'filter'; name: string; value: Expression | undefined; args: Argument[] }
    | { type: 'test'; name: string; value: Expression; args: Argument[] }
  );

export type Target =
  | { type: 'name'; name: string }
  | { type: 'tuple'; items: Target[] }
  | { type: 'namespace'; name: string; attribute: string };

export interface Signature {
  names: string[];
  /** Of the last of the names. */
  defaults: Expression[];
}

export type Statement =
  | { type: 'text'; value: string }
  | { type: 'print'; value: Expression }
  | { type: 'set'; target: Target; value: Expression }
  | { type: 'setBlock'; target: Target; filter: Expression | undefined; body: Statement[] }
  | { type: 'if'; branches: { test: Expression; body: Statement[] }[]; otherwise: Statement[] }
  | {
      type: 'for';
      target: Target;
      iterable: Expression;
      test: Expression | undefined;
      isRecursive: boolean;
      body: Statement[];
      otherwise: Statement[];
    }
  | { type: 'macro'; name: string; signature: Signature; body: Statement[]; uses: ReadonlySet<string> }
  | { type: 'call'; call: Expression; signature: Signature; body: Statement[]; uses: ReadonlySet<string> }
  | { type: 'filterBlock'; filter: Expression; body: Statement[] }
  | { type: 'with'; values: { target: Target; value: Expression }[]; body: Statement[] }
  | { type: 'generation'; body: Statement[] }
  | { type: 'break' }
  | { type: 'continue' };

/** A parsed template. */
export interface Template {
  body: Statement[];
  source: string;
  /** Whether it marks what the assistant writes with `{% generation %}`. */
  hasGenerationMarks: boolean;
}
