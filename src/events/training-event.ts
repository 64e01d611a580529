import type { ErrorCode } from '../errors.js';
import type { LearningStyle } from './learning-style.js';
import type { MemoryReport, StatePlaces } from './memory-report.js';
import type { DatasetReport } from './dataset-report.js';
import type { ComparedGroup } from './token-record.js';

/**
 * Token counts of the adaptive loss, under the names of the reference implementation's statistics.
 * Counts are summed over the micro-batches they describe; the two biases are the values the loss used.
 */
export interface TokenStatistics {
  /** Labelled tokens. */
  total_tokens: number;
  /** Labelled tokens that are the model's first choice. */
  already_correct: number;
  /** Labelled tokens among the model's `topK` first choices; the correct ones are counted here too. */
  in_top_k: number;
  /** Labelled tokens that are not among the model's `topK` first choices. */
  outside_top_k: number;
  /** Tokens picked by the ideas or the attention term. */
  training_mask: number;
  /** The bias α between ideas and attention, 0.4 to 1.7. */
  attention_bias_alpha: number;
  /** The bias β between the adaptive terms and plain cross-entropy, 0.4 to 1.7. */
  coherence_bias_beta: number;
}

/** Once, before `start`, where the rows come from a DatasetMixer: how the rows of each dataset were used. */
export interface DatasetsEvent {
  type: 'datasets';
  report: DatasetReport[];
}

/** Once, before `start`, where the rows are known: some training rows as text. */
export interface SamplesEvent {
  type: 'samples';
  rows: { source: string; text: string }[];
}

/**
 * Before `start`, with `retention` or where forgetting is measured: how far the base model is with writing texts, or with
 * reading what is to be held. None for what is in the cache folder already.
 */
export interface TextsEvent {
  type: 'texts';
  doing: 'writing' | 'reading';
  /** Rows. */
  done: number;
  total: number;
}

/**
 * Before `start`, and again before `end`, where the run has rows to judge (`inspectRows`): how far judging them is. After a run
 * was resumed none before `start`, where the rows are the same.
 */
export interface InspectEvent {
  type: 'inspect';
  when: 'before' | 'after';
  /** Rows. */
  done: number;
  total: number;
}

/** Before `end`, where rows were judged: what was gained on held-out rows and what was lost on texts that are to be kept. */
export interface ComparisonEvent {
  type: 'comparison';
  topK: number;
  /** By dataset, the held-out ones first. */
  groups: ComparedGroup[];
}

/**
 * Everything a run is configured with, in groups: `trainingConfig` and `adaptiveLossConfig` with every default filled in, and
 * in the one-call API the rest of its options as given. Survives JSON: a function stands as `[function name]`, rows in memory
 * as their number. Access tokens are taken out.
 */
export type RunConfiguration = Readonly<Record<string, unknown>>;

/** What a run runs on. */
export interface RunVersions {
  /** Of this package. */
  adaptiveTrainer: string;
  libtorch: string;
  node: string;
  /** Operating system and architecture, e.g. `linux-x64`. */
  platform: string;
  /** The instruction set that the engine uses: DEFAULT, AVX2 or AVX512. */
  cpuCapability: string;
}

/** Once, before the first step. */
export interface StartEvent {
  type: 'start';
  runName: string;
  /** Names the run among all: in its checkpoints, and in every line of `metrics.jsonl`. A run that is resumed keeps it. */
  runId: string;
  /** The checkpoint that it goes on from, and of which run that is; absent where it begins at step 0. */
  resumedFrom?: { path: string; step: number; runId?: string };
  /** Folder that the run writes to; empty where it writes nothing. */
  outputDir: string;
  config: RunConfiguration;
  versions: RunVersions;
  /** Optimizer steps that the run will take. */
  steps: number;
  /** Passes over the training rows; not whole where `maxSteps` ends the run inside one. */
  epochs: number;
  trainRows: number;
  evalRows: number;
  /** Input tokens of one pass over the training rows; absent where the rows are streamed. */
  tokensPerEpoch?: number;
  /** Where it computes, e.g. `cpu`. */
  device: string;
  /** What it computes in: `float32`, `bfloat16` or `float16`. The weights themselves stay float32, except in `bf16-true`. */
  dtype: string;
  /** Threads that the native engine computes with. */
  threads: number;
  /** Processes that train together; absent for one. */
  ranks?: number;
  /** Parameters of the model, tied ones counted once. */
  parameters: number;
  /** Those that are trained, where an adapter is trained in place of all. */
  trainableParameters?: number;
  /** What the run is expected to need at its peak, and what is free; absent where the rows are streamed. */
  memory?: MemoryReport;
  /** The states of a `paged_` optimizer for which the device has no room; absent where it has. */
  pagedStates?: StatePlaces;
}

/** After every optimizer step. All values are of this step alone. */
export interface StepEvent {
  type: 'step';
  /** 1 for the first step. */
  step: number;
  /** Passes over the training rows so far, as a fraction: 1.5 is halfway through the second. */
  epoch: number;
  loss: number;
  /** Norm of all gradients before clipping. */
  gradNorm: number;
  /** The rate this step used. */
  learningRate: number;
  /** Input tokens of this step, prompts included. */
  tokens: number;
  labelledTokens: number;
  /** Input tokens per second of training; evaluating and saving are left out. */
  tokensPerSecond: number;
  alpha: number;
  beta: number;
  statistics: TokenStatistics;
  secondsPerStep: number;
  /** Seconds until the last step at the present pace; evaluating and saving are left out. */
  etaSeconds: number;
  /** With `retention`: mean KL(base ‖ model) per token of the text that this step was held to, in nats, as it was before the step; absent where it took none. */
  divergence?: number;
  /** With `retention`: λ, what that divergence counted beside the loss. */
  retentionWeight?: number;
  /** What the loss is multiplied with in float16; absent where nothing is. */
  lossScale?: number;
  /** Steps of the run that were dropped so far, their numbers not being finite; absent where none was. */
  skippedSteps?: number;
}

/** Every `loggingSteps` steps: means over the steps since the previous one, sums where the name says tokens. */
export interface LogEvent {
  type: 'log';
  step: number;
  epoch: number;
  /** How many steps the means are over; fewer than `loggingSteps` at the end of a run. */
  steps: number;
  loss: number;
  gradNorm: number;
  /** The rate of the last of these steps. */
  learningRate: number;
  tokens: number;
  labelledTokens: number;
  tokensPerSecond: number;
  alpha: number;
  beta: number;
  statistics: TokenStatistics;
  secondsPerStep: number;
  etaSeconds: number;
  /** Mean over those of the steps that were held to text; absent where none was. */
  divergence?: number;
  /** As in the last of those. */
  retentionWeight?: number;
  /** As it was last measured (see `evaluate`); absent before that. */
  forgetting?: number;
  /** Resident memory of the process at this moment, in bytes. */
  memoryBytes?: number;
  /** As in the last of these steps. */
  lossScale?: number;
  skippedSteps?: number;
}

/** Every `adaptiveLogSteps` steps: the adaptive loss' counts since the run began. */
export interface AdaptiveEvent {
  type: 'adaptive';
  step: number;
  epoch: number;
  statistics: TokenStatistics;
}

/** What an evaluation found over some of its rows. Shares are of the labelled tokens, 0 to 1. */
export interface EvaluationMetrics {
  rows: number;
  labelledTokens: number;
  /** Mean cross-entropy per labelled token, in nats, also where another loss is trained. */
  loss: number;
  /** e to the power of `loss`. */
  perplexity: number;
  /** Share of tokens that are the model's first choice. */
  tokenAccuracy: number;
  /** Share among the `topK` first choices, the first choice included. */
  inTopKShare: number;
  outsideTopKShare: number;
}

/** After each evaluation. The metrics at the top level are over all rows. */
export interface EvaluateEvent extends EvaluationMetrics {
  type: 'evaluate';
  /** The step it came after; 0 for one before training. */
  step: number;
  epoch: number;
  /** The adaptive loss on the same rows; absent where another loss is trained. */
  adaptiveLoss?: number;
  /**
   * Forgetting: mean KL(base ‖ model) per token, in nats, on texts that the base model wrote before the first step and that
   * are never trained; 0 means that nothing changed for it. Absent where it is not measured (see `evalForgetting`).
   */
  forgetting?: number;
  seconds: number;
  bySource: Record<string, EvaluationMetrics>;
  byStyle: Partial<Record<LearningStyle, EvaluationMetrics>>;
}

/** After a checkpoint, or the final model, is completely written. */
export interface SaveEvent {
  type: 'save';
  step: number;
  path: string;
}

/** Something the user should know of that does not stop the run. */
export interface WarningEvent {
  type: 'warning';
  /** Stable name of the cause, e.g. `FP16_COMPUTES_IN_BF16`. */
  code: string;
  message: string;
  /** The step it came up in; absent before training. */
  step?: number;
}

/** Once, after a run that completed. */
export interface EndEvent {
  type: 'end';
  /** Folder of the final model; empty where none was written. */
  path: string;
  /** Steps done, skipped ones included. */
  steps: number;
  /** Those that were dropped, their numbers not being finite; absent where none was. */
  skippedSteps?: number;
  epochs: number;
  /** Wall-clock time since `start`. */
  seconds: number;
  /** Mean training loss over the whole run. */
  loss: number;
  tokens: number;
  labelledTokens: number;
  /** Input tokens per second of training; evaluating and saving are left out. */
  tokensPerSecond: number;
  /** The step whose weights the final model has, `loadBestModelAtEnd` having found it the best; absent: the last one. */
  best?: { step: number; metric: string; value: number };
  /** Whether `earlyStoppingPatience` ended the run; absent where not. */
  stoppedEarly?: true;
  /** Greatest resident memory of the process in bytes; absent where the platform does not tell. */
  peakMemoryBytes?: number;
}

/** Once, in place of `end`, after a run that its signal aborted. */
export interface AbortedEvent {
  type: 'aborted';
  /** Steps done. */
  step: number;
  epoch: number;
  message: string;
  /** Folder of the checkpoint that the run can be resumed from; absent where none was written. */
  checkpoint?: string;
}

/** Once, in place of `end`, after a run that failed, also one that did not get as far as `start`. */
export interface ErrorEvent {
  type: 'error';
  /** Steps done. */
  step: number;
  epoch: number;
  /** Of an AdaptiveTrainerError; absent for what other code threw. */
  code?: ErrorCode;
  message: string;
}

/**
 * Every event that a training run sends, in order: `datasets`, `texts`, `inspect`, `start`, then any of the others, then one of `end`,
 * `aborted` and `error`. Nothing follows but a warning of a tracker or callback that failed on that last one.
 */
export type TrainingEvent =
  | DatasetsEvent
  | SamplesEvent
  | TextsEvent
  | InspectEvent
  | ComparisonEvent
  | StartEvent
  | StepEvent
  | LogEvent
  | AdaptiveEvent
  | EvaluateEvent
  | SaveEvent
  | WarningEvent
  | EndEvent
  | AbortedEvent
  | ErrorEvent;
