// The public surface. What is not named here may change without notice.
export { trainAdaptively, type TrainAdaptivelyHooks, type TrainerClass } from './train-adaptively.js';
export { AdaptiveTrainer } from './trainer/adaptive-trainer.js';
export type { AdaptiveTrainerOptions } from './trainer/adaptive-trainer-options.js';
export type { TrainingRows } from './trainer/batches/training-rows.js';
export type {
  HookName,
  RunningTrainer,
  TrainerCallback,
  TrainerHook,
  TrainerHooks,
} from './trainer/trainer-callback.js';
export type { TrainerEvents } from './trainer/trainer-events.js';
export type { RunControl } from './trainer/run-control.js';
export type { BatchesSince, RunPlan } from './trainer/step/run-plan.js';
export type { RunPosition, RunProgress } from './trainer/run-progress.js';
export type { EvaluationReport } from './trainer/evaluation/evaluate-rows.js';
export type { MicroBatchPlace, MicroBatchReport, StepReport } from './trainer/step/take-step.js';
export type { RetainedReport, RetainedRows } from './engine/addon.js';
export type { RetainedBatch } from './trainer/retention/retained-batch.js';
export type { RetentionReport } from './trainer/retention/retention-report.js';
export type { TokenBatch, TokenStatisticsArrays } from './trainer/step/token-statistics.js';
export { stopAtEndOfTurn } from './model/generation/stop-at-end-of-turn.js';
export { fitVocabulary } from './model/fit-vocabulary.js';
export { DatasetMixer, type DatasetMixerOptions } from './data/dataset-mixer.js';
export type { BadRow, DatasetReport, MixProgress } from './events/dataset-report.js';
export type { MixedDatasets } from './data/mix/mixed-datasets.js';
export {
  previewDatasets,
  type DatasetPreview,
  type PreviewOptions,
  type RowPreview,
} from './data/preview-datasets.js';
export type { TokenRun } from './data/tokens/token-runs.js';
export type {
  DatasetEntry,
  DatasetWithSettings,
  InMemoryDataset,
} from './config/datasets/datasets-config.js';
export type { DatasetLocation, DatasetPlan } from './config/datasets/dataset-plan.js';
export type { DatasetFiles } from './config/datasets/dataset-files.js';
export type { FetchHubDataset } from './data/sources/fetch-hub-dataset.js';
export type { ProcessedRow } from './events/processed-row.js';
export { learningStyles, type LearningStyle } from './events/learning-style.js';
export type { TrainingRow } from './events/training-row.js';
export { CausalLM, type FromConfigOptions } from './model/causal-lm.js';
export type { FromPretrainedOptions } from './model/from-pretrained-options.js';
export type { JudgedRow, JudgeOptions, RowToJudge } from './model/judge-tokens.js';
export type { ModelAdapter } from './model/adapter/model-adapter.js';
export type { GenerateOptions } from './model/generation/generate-options.js';
export { Generation } from './model/generation/generation.js';
export type { SaveOptions } from './model/files/save-pretrained.js';
export { Tokenizer } from './tokenizer/tokenizer.js';
export type { ChatMessage, ContentPart } from './events/chat-message.js';
export type { ChatVariables } from './tokenizer/template/chat-template.js';
export { encodeChat, type EncodeChatOptions, type EncodedChat } from './tokenizer/encode/encode-chat.js';
export { applyChatTemplate } from './tokenizer/template/apply-chat-template.js';
export { trainingTokenizer } from './tokenizer/training-tokenizer.js';
export { adaptiveLoss, type AdaptiveLossOptions, type AdaptiveLossResult } from './loss/adaptive-loss.js';
export type { AdaptiveState, AdaptiveTerms, ComputeType, OptimizerReport } from './engine/addon.js';
export { parseConfig } from './config/read/parse-config.js';
export { evaluateModel, type EvaluateModelOptions } from './inspect/evaluate-model.js';
export { inspectDatasets, type InspectDatasetsOptions } from './inspect/inspect-datasets.js';
export type { NamedWeight } from './engine/addon.js';
export type {
  Quantization,
  QuantizationOptions,
  QuantizationType,
} from './model/quantization/quantization.js';
export type { JudgingHooks, JudgingProgress } from './inspect/judging-hooks.js';
export type * from './events/eval-report.js';
export type * from './events/inspect-report.js';
export type * from './events/token-record.js';
export { validateConfig, type ValidatedConfig, type ValidateOptions } from './validate/validate-config.js';
export type { TrainAdaptivelyOptions } from './config/schema/train-adaptively-options.js';
export type {
  AdaptiveLossConfigInput,
  LrSchedulerKwargs,
  OptimArgs,
  PeftConfigInput,
  RetentionInput,
  TrainingConfigInput,
  UploadConfigInput,
} from './config/schema/config-input.js';
export type {
  AdaptiveLossConfig,
  Filled,
  ParsedConfig,
  PeftConfig,
  Precision,
  RetentionConfig,
  TrainingConfig,
  UploadConfig,
} from './config/schema/parsed-config.js';
export type {
  DataProcessingFunction,
  DatasetKwargsInput,
  DatasetsConfigInput,
  DatasetTables,
  FilesOrBySplit,
} from './config/datasets/datasets-config.js';
export type { RetentionText } from './config/schema/retention.js';
export type { ColumnNames, ColumnUse } from './config/datasets/column-names.js';
export type { Mixing, MixingOptions } from './config/datasets/plan-mixing.js';
export type { ConfigWarning } from './config/read/config-warning.js';
export type { Tracker } from './events/tracker.js';
export { JsonlTracker, type JsonlTrackerOptions } from './trackers/jsonl-tracker.js';
export { openTrackers, type OpenTrackersOptions, type ReportingConfig } from './trackers/open-trackers.js';
export {
  TensorBoardTracker,
  type TensorBoardTrackerOptions,
} from './trackers/tensorboard/tensorboard-tracker.js';
export { WandbTracker, type WandbTrackerOptions } from './trackers/wandb/wandb-tracker.js';
export { wandbSettings, type WandbRequest, type WandbSettings } from './trackers/wandb/wandb-settings.js';
export type { WandbPacing } from './trackers/wandb/wandb-sender.js';
export type * from './events/training-event.js';
export { ProgressBar, type ProgressBarOptions } from './trackers/terminal/progress-bar.js';
export type { PrintTarget } from './common/live-line.js';
export { renderTable } from './common/table.js';
export { downloadModel, type DownloadModelOptions } from './hub/models/download-model.js';
export { downloadDataset, type DownloadDatasetOptions } from './hub/datasets/download-dataset.js';
export { downloadSnapshot, type DownloadSnapshotOptions } from './hub/cache/download-snapshot.js';
export { uploadModel, type UploadModelOptions, type UploadProgress } from './hub/models/upload-model.js';
export type { Launch } from './ranks/launch.js';
export type { Ranks } from './ranks/ranks.js';
export type { HubEvent } from './events/hub-event.js';
export type { HubProgress } from './events/hub-progress.js';
export type { HubRepo } from './hub/client/hub-repo.js';
export { hubSettings, type HubSettings } from './common/hub-settings.js';
export { setupLibtorch, type SetupOptions } from './engine/libtorch/setup-libtorch.js';
export type { FetchedLibtorch, LibtorchFetcher } from './engine/libtorch/fetch-pinned-libtorch.js';
export type { Libtorch, LibtorchSource } from './engine/libtorch/libtorch.js';
export type { OnSetupProgress, SetupProgress } from './common/setup-progress.js';
export { writeReport } from './report/write-report.js';
export { Dashboard, type DashboardOptions, type DashboardState } from './dashboard/dashboard.js';
export type { HostMemory, MemoryEstimate, MemoryReport, StatePlaces } from './events/memory-report.js';
export { AdaptiveTrainerError, type ErrorCode, type ErrorDetails, type ErrorOf } from './errors.js';
export type { ConfigFault } from './common/config-fault.js';
