// The public surface. What is not named here may change without notice.
export { trainAdaptively, type TrainAdaptivelyHooks } from './train-adaptively.js';
export { AdaptiveTrainer } from './adaptive-trainer.js';
export type { AdaptiveTrainerOptions } from './trainer/adaptive-trainer-options.js';
export type { TrainingRows } from './trainer/training-rows.js';
export type { TrainerCallback } from './trainer/trainer-callback.js';
export type { TokenBatch, TokenStatisticsArrays } from './trainer/token-statistics.js';
export { fitVocabulary } from './fit-vocabulary.js';
export { DatasetMixer, type DatasetMixerOptions, type MixerDatasetsConfig } from './data/dataset-mixer.js';
export type { DatasetReport, MixedDatasets, MixProgress } from './data/mixed-datasets.js';
export {
  previewDatasets,
  type DatasetPreview,
  type PreviewOptions,
  type RowPreview,
} from './data/preview-datasets.js';
export type { TokenRun } from './data/token-runs.js';
export type { DatasetEntry, DatasetLocation, InMemoryDataset } from './data/dataset-plan.js';
export type { DatasetFiles } from './data/dataset-files.js';
export type { FetchHubDataset } from './data/fetch-hub-dataset.js';
export type { ProcessedRow } from './data/processed-row.js';
export { learningStyles, type LearningStyle } from './data/learning-style.js';
export type { TrainingRow } from './data/training-row.js';
export { CausalLM } from './model/causal-lm.js';
export type { FromPretrainedOptions } from './model/from-pretrained-options.js';
export type { ModelAdapter } from './model/adapter/model-adapter.js';
export type { GenerateOptions } from './model/generate-options.js';
export { Generation } from './model/generation.js';
export type { SaveOptions } from './model/save-pretrained.js';
export { Tokenizer } from './tokenizer/tokenizer.js';
export type { ChatMessage } from './tokenizer/chat-message.js';
export { encodeChat, type EncodeChatOptions } from './tokenizer/encode-chat.js';
export { applyChatTemplate } from './tokenizer/apply-chat-template.js';
export { trainingTokenizer } from './tokenizer/training-tokenizer.js';
export { adaptiveLoss, type AdaptiveLossOptions, type AdaptiveLossResult } from './loss/adaptive-loss.js';
export type { AdaptiveState } from './native/addon.js';
export { parseConfig } from './config/parse-config.js';
export { validateConfig, type ValidatedConfig } from './config/validate-config.js';
export type { PeftConfigInput, TrainAdaptivelyOptions } from './config/train-adaptively-options.js';
export type { AdaptiveLossConfig, ParsedConfig, PeftConfig, TrainingConfig } from './config/parsed-config.js';
export type { DataProcessingFunction, DatasetsConfigInput } from './config/datasets-config.js';
export type { Tracker } from './tracking/tracker.js';
export { JsonlTracker } from './tracking/jsonl-tracker.js';
export type * from './tracking/training-event.js';
export { ProgressBar } from './report/progress-bar.js';
export { renderTable } from './report/table.js';
export { downloadModel, type DownloadModelOptions } from './hub/download-model.js';
export { downloadDataset, type DownloadDatasetOptions } from './hub/download-dataset.js';
export { downloadSnapshot, type DownloadSnapshotOptions } from './hub/download-snapshot.js';
export { uploadModel, type UploadModelOptions } from './hub/upload-model.js';
export type { HubEvent } from './hub/hub-event.js';
export type { HubProgress } from './hub/hub-progress.js';
export type { HubRepo } from './hub/hub-repo.js';
export { hubSettings, type HubSettings } from './hub/hub-settings.js';
export { setupLibtorch } from './native/libtorch/setup-libtorch.js';
export { AdaptiveTrainerError, type ErrorCode } from './errors.js';
