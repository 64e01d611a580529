import type { ConfigFault } from './config-fault.js';

/** Every error code, and what `details` of an error with that code holds. */
export interface ErrorDetails {
  /** A configuration has one or more faults; `faults` lists them all. */
  CONFIG_INVALID: {
    faults: readonly ConfigFault[];
    /** What `validateConfig` found besides. */
    notes?: readonly string[];
    /** The configuration file that is not JSON, and where. */
    file?: string;
    line?: number;
    column?: number;
    /** A key that stands twice in one object of the file. */
    key?: string;
    /** The projections that an adapter can be added to. */
    projections?: readonly string[];
  };
  /** Known, but not built yet or not usable on this machine. */
  NOT_AVAILABLE: { path?: string; dataset?: string; errors?: readonly Error[] };
  /** The GPU that was asked for cannot be computed on; the message lists all that is missing. */
  DEVICE_NOT_AVAILABLE: {
    /** `cuda:0`. */
    device: string;
    /** `driver`, `driver-version`, `device`, `capability`, `libtorch`, `plugin`, `plugin-version`, `start` or `check`. */
    missing: readonly string[];
    /** What helps, in the same order. */
    fixes: readonly string[];
  };
  /** No libtorch on this machine; npm brings it, and `npx adaptive-trainer setup` fetches it. */
  LIBTORCH_NOT_FOUND: {
    /** Places that were looked at, and what was found there. */
    tried?: readonly unknown[];
    /** Versions that can be used. */
    expected?: string;
    fix?: string;
  };
  /** libtorch is there in a version that the addon was not built for. */
  LIBTORCH_WRONG_VERSION: {
    /** Places that were looked at, and what was found there. */
    tried?: readonly unknown[];
    /** Versions that can be used. */
    expected?: string;
    fix?: string;
  };
  /** libtorch is half downloaded, fails its checksums or cannot be loaded. */
  LIBTORCH_BROKEN: {
    /** Places that were looked at, and what was found there. */
    tried?: readonly unknown[];
    /** Versions that can be used. */
    expected?: string;
    fix?: string;
    /** Files that do not match the wheel's RECORD. */
    faults?: readonly string[];
    zip?: string;
    entry?: string;
  };
  /** The native addon is not there; the message says why, and which command brings it. */
  ADDON_NOT_BUILT: {
    /** Files that were looked for. */
    tried: readonly string[];
    fix?: string;
  };
  /** The native addon is there and cannot be loaded. */
  ADDON_UNLOADABLE: {
    addon: string;
    /** Root of the libtorch that it was loaded with. */
    libtorch?: string;
    expected?: string;
    found?: string | null;
    stderr?: string;
    status?: number | null;
    signal?: string | null;
    timedOut?: boolean;
    fix?: string;
    fixes?: readonly string[];
  };
  /** No model, or no weights of it, where one was named. */
  MODEL_NOT_FOUND: {
    path?: string;
    dir?: string;
    /** Weight files that the index names and that are not there. */
    missing?: readonly string[];
  };
  /** `config.json` of a model is damaged or describes none. */
  MODEL_CONFIG_INVALID: { path?: string; faults?: readonly string[] };
  /** A model of a kind, or with weights in a format, that is not supported. */
  MODEL_UNSUPPORTED: {
    path?: string;
    dir?: string;
    expected?: string;
    found?: string | readonly string[];
    repo?: string;
    page?: string;
    /** Settings of an adapter that are not supported, by key. */
    refused?: Readonly<Record<string, unknown>>;
  };
  /** A `.safetensors` file is damaged. */
  SAFETENSORS_INVALID: { path?: string; expected?: string; found?: string };
  /** Weights are missing, of another shape or not of this model; all of them are listed. */
  WEIGHTS_MISMATCH: {
    missing?: readonly string[];
    misshaped?: readonly string[];
    extra?: readonly string[];
  };
  /** Weights hold NaN or infinity. */
  WEIGHTS_NOT_FINITE: { path?: string };
  /** The files of a tokenizer are damaged, or hold what is not supported. */
  TOKENIZER_INVALID: { path: string; expected?: string; position?: number };
  /** There is no chat template, it does not parse, or it refuses a chat. */
  CHAT_TEMPLATE_FAILED: {
    path?: string;
    modelType?: unknown;
    names?: readonly string[];
    received?: unknown;
    template?: string;
    /** Index of the message, from 0, and its role. */
    message?: number;
    role?: string;
    roles?: readonly unknown[];
    /** What the template said. */
    reason?: string;
    /** The expression that failed. */
    expression?: string;
    /** Whether the template is wrong, or this row does not fit it. */
    fault?: 'template' | 'row';
    /** The special token that other answers end with. */
    closing?: string;
    /** The key of the message that is not in the text. */
    key?: string;
    dataset?: string;
    row?: number;
    /** The row in words: `row 12 (rows.jsonl line 13)`. */
    where?: string;
    errors?: readonly Error[];
  };
  /** A dataset, or the split of it to train on, is not there. */
  DATASET_NOT_FOUND: {
    path?: string;
    dataset?: string;
    split?: string;
    found?: readonly string[];
    pattern?: string;
    page?: string;
    errors?: readonly Error[];
  };
  /** A row, a file or a whole dataset that cannot be trained on. */
  DATASET_INVALID: {
    path?: string;
    line?: number;
    dataset?: string;
    row?: number;
    /** The row in words: `row 12 (rows.jsonl line 13)`. */
    where?: string;
    errors?: readonly Error[];
    style?: string;
    source?: string | undefined;
    /** Rows read, and why how many of them are left out. */
    read?: number;
    tooLong?: number;
    noTrainedToken?: number;
    skipped?: number;
    bad?: number;
    /** The first ten rows that cannot be used, and why. */
    badRows?: readonly { where: string; reason: string }[];
    maxLengthToken?: number;
    key?: string;
    keys?: readonly string[];
    /** A column of a file counted from 1, or the name of one. */
    column?: number | string;
    columns?: readonly string[];
    /** Element of a JSON array, in words. */
    element?: string;
    excerpt?: string;
    reason?: string;
    compression?: string;
    place?: string;
    files?: readonly string[];
  };
  /** An argument of a call is out of range or of the wrong type or shape. */
  INVALID_INPUT: {
    argument?: string;
    expected?: string;
    found?: unknown;
    repo?: string;
    revision?: string;
    endpoint?: string;
    dir?: string;
    message?: number;
    topK?: number;
    vocabSize?: number;
  };
  /** The output folder holds another run, and nothing says what is to become of it. */
  OUTPUT_DIR_USED: {
    outputDir: string;
    /** Names in it that would be written over. */
    inTheWay: readonly string[];
    /** The checkpoint that could be gone on from. */
    resumable?: string | undefined;
  };
  /** Another process trains into the output folder. */
  OUTPUT_DIR_BUSY: {
    outputDir: string;
    /** Who that is, where it is known. */
    holder?: { pid: number; host: string; runName: string; since: string } | undefined;
  };
  /** A checkpoint is incomplete or damaged. */
  CHECKPOINT_INVALID: { path: string };
  /** A checkpoint of another run: the model, the data or a setting is not the same. */
  CHECKPOINT_MISMATCH: {
    path: string;
    /** What differs, in words. */
    differences: readonly string[];
  };
  /** A loss or a gradient is NaN or infinite. */
  LOSS_NOT_FINITE: {
    step: number;
    lossScale?: number;
    /** The module whose output was not finite first. */
    module?: string;
    /** Numbers of the rows of the step in `trainDataset`; undefined where they are not known. */
    rows?: readonly (number | undefined)[];
  };
  /** The run does not fit into the memory that is free. */
  OUT_OF_MEMORY: {
    /** The step that was refused memory. */
    step?: number;
    dataset?: string;
    row?: number;
    /** The row in words: `row 12 (rows.jsonl line 13)`. */
    where?: string;
    /** What the run needs, in bytes, by what it is for. */
    estimate?: {
      readonly weights: number;
      readonly gradients: number;
      readonly optimizer: number;
      readonly activations: number;
      readonly lossChunk: number;
      readonly numerators?: number;
      readonly base: number;
      readonly total: number;
    };
    available?: number;
    /** Settings that would help, as they are written. */
    settings?: readonly string[];
  };
  /** `signal` was aborted. */
  ABORTED: {
    step?: number;
    /** The checkpoint that was saved. */
    checkpoint?: string | undefined;
  };
  /** The environment says only in part, or wrongly, which of several ranks this process is; `faults` lists all. */
  LAUNCH_INVALID: { faults: readonly ConfigFault[] };
  /** Another of the ranks that train together failed, is gone, or never came. */
  RANKS_FAILED: {
    /** The rank that failed, where it is known, and the code of its error. */
    rank?: number;
    code?: string;
    /** Ranks that do not answer. */
    missing?: readonly number[];
  };
  /** The ranks do not train the same: another configuration, model, dataset or version of this library. */
  RANKS_DIFFER: {
    rank: number;
    /** What differs from rank 0, in words. */
    differences: readonly string[];
  };
  /** A method was called on an object after `dispose()`. */
  DISPOSED: Readonly<Record<string, never>>;
  /** A file could not be read or written. */
  IO_FAILED: { path?: string; file?: string };
  /** The Hub refused a request, did not answer, or answered what cannot be right. */
  HUB_FAILED: {
    repo?: string;
    repoType?: string;
    /** Page of the repository. */
    page?: string;
    /** HTTP status; absent where there was no answer. */
    status?: number;
    /** The Hub's `X-Error-Code`. */
    errorCode?: string | null;
    url?: string;
    attempts?: number;
    reason?: string;
    revision?: string;
    path?: string;
    missing?: readonly string[];
    expected?: unknown;
    found?: unknown;
    /** The folder that was looked for before the Hub was asked. */
    folder?: string;
  };
  /** libtorch reported something that is not foreseen here; `cause` has its words. */
  NATIVE_FAILED: Readonly<Record<string, never>>;
}

/** Names of the errors. They are stable: match on `code`, not on the message. */
export type ErrorCode = keyof ErrorDetails;
