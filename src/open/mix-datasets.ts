import type { DatasetPlan } from '../config/datasets/dataset-plan.js';
import type { ParsedConfig } from '../config/schema/parsed-config.js';
import { DatasetMixer } from '../data/dataset-mixer.js';
import type { MixedDatasets } from '../data/mix/mixed-datasets.js';
import { downloadDataset } from '../hub/datasets/download-dataset.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { RunView } from '../trackers/run-view.js';
import { hubOptions } from './hub-options.js';

/** Reads, tokenizes and mixes the datasets of a configuration: those that are trained on, or those that are to be kept. */
export async function mixDatasets(
  config: ParsedConfig,
  datasets: readonly DatasetPlan[],
  tokenizer: Tokenizer,
  maxLengthToken: number,
  view: RunView,
  signal: AbortSignal | undefined,
): Promise<MixedDatasets> {
  const { trainOnHeader, mixing, mixingProbabilities, mixingStop, seed } = config.trainingConfig;
  const mixer = new DatasetMixer({
    datasetsConfig: datasets,
    tokenizer,
    maxLengthToken,
    trainOnHeader,
    seed,
    signal,
    // How datasets are mixed is said of those that are trained on.
    ...(datasets === config.datasets ? { mixing, mixingProbabilities, mixingStop } : {}),
    onWarning: view.warn('DATASET'),
    onProgress: view.onData,
    fetchHubDataset: (id, location, onWarning) =>
      downloadDataset(id, location, { ...hubOptions(view, signal), onWarning }),
  });
  return mixer.build().finally(view.clear);
}
