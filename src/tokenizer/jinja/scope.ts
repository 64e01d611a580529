import type { Value } from './values.js';

/** Names and their values; those of the scopes around it are seen from inside. */
export class Scope {
  private readonly values: Map<string, Value>;

  constructor(
    values: Iterable<readonly [string, Value]>,
    private readonly outer?: Scope,
  ) {
    this.values = new Map(values);
  }

  get(name: string): Value | undefined {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    let scope: Scope | undefined = this;
    while (scope !== undefined) {
      const found = scope.values.get(name);
      if (found !== undefined) return found;
      scope = scope.outer;
    }
    return undefined;
  }

  set(name: string, value: Value): void {
    this.values.set(name, value);
  }
}
