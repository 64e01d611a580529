import type { ErrorCode, ErrorDetails } from './common/error-details.js';

export type { ErrorCode, ErrorDetails };

const marker = Symbol.for('adaptive-trainer.error');

/**
 * The one error class of the library. The message is complete on its own: what was expected, what was found,
 * where, and what to do. `details` holds the same facts for programs; its type is known once the code is.
 *
 * @example
 * if (AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID'))
 *   for (const { path, message } of error.details.faults) console.error(path, message);
 */
export class AdaptiveTrainerError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code;
  readonly details: Readonly<ErrorDetails[Code] & Record<string, unknown>>;
  /** @internal */
  readonly [marker] = true;

  constructor(
    code: Code,
    message: string,
    options: { details?: Readonly<ErrorDetails[Code]>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AdaptiveTrainerError';
    this.code = code;
    this.details = (options.details ?? {}) as this['details'];
  }

  /** True for an error of this library, also one from another copy of it in the same process. */
  static isInstance<Code extends ErrorCode = ErrorCode>(value: unknown, code?: Code): value is ErrorOf<Code> {
    return (
      value instanceof Error &&
      (value as unknown as Record<symbol, unknown>)[marker] === true &&
      (code === undefined || (value as AdaptiveTrainerError).code === code)
    );
  }
}

/** An error with one of several codes; comparing `code` tells which, and with it the type of `details`. */
export type ErrorOf<Code extends ErrorCode> = { [One in Code]: AdaptiveTrainerError<One> }[Code];
