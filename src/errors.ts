/** Every error this library throws on purpose. Names are stable: match on `code`, not on the message. */
export type ErrorCode =
  | 'CONFIG_INVALID' // a configuration has one or more faults; `details.faults` lists them all
  | 'NOT_AVAILABLE' // known, but not built or not usable on this machine
  | 'LIBTORCH_NOT_FOUND'
  | 'LIBTORCH_WRONG_VERSION'
  | 'LIBTORCH_BROKEN' // half-downloaded, checksum mismatch, unloadable
  | 'ADDON_NOT_BUILT'
  | 'ADDON_UNLOADABLE'
  | 'MODEL_NOT_FOUND'
  | 'MODEL_CONFIG_INVALID'
  | 'MODEL_UNSUPPORTED'
  | 'SAFETENSORS_INVALID'
  | 'WEIGHTS_MISMATCH' // missing, extra or mis-shaped tensors; all of them are listed
  | 'WEIGHTS_NOT_FINITE'
  | 'TOKENIZER_INVALID'
  | 'CHAT_TEMPLATE_FAILED'
  | 'DATASET_NOT_FOUND'
  | 'DATASET_INVALID' // a row, a file or a whole dataset that cannot be trained on
  | 'INVALID_INPUT' // an argument of a library call is out of range or of the wrong shape
  | 'CHECKPOINT_INVALID' // incomplete or damaged
  | 'CHECKPOINT_MISMATCH' // of another run: the model, the data or a setting is not the same
  | 'LOSS_NOT_FINITE'
  | 'OUT_OF_MEMORY'
  | 'ABORTED'
  | 'DISPOSED' // a method was called on an object after dispose()
  | 'IO_FAILED'
  | 'HUB_FAILED'
  | 'NATIVE_FAILED'; // libtorch reported something not foreseen here; `cause` has its words

const marker = Symbol.for('adaptive-trainer.error');

/**
 * The one error class of the library. The message is complete on its own: what was expected, what was found,
 * where, and what to do. `details` holds the same facts for programs.
 */
export class AdaptiveTrainerError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly [marker] = true;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AdaptiveTrainerError';
    this.code = code;
    this.details = options.details ?? {};
  }

  /** True for an error of this library, also one from another copy of it in the same process. */
  static isInstance(value: unknown, code?: ErrorCode): value is AdaptiveTrainerError {
    return (
      value instanceof Error &&
      (value as unknown as Record<symbol, unknown>)[marker] === true &&
      (code === undefined || (value as AdaptiveTrainerError).code === code)
    );
  }
}
