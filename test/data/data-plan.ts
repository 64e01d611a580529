import type { DatasetLocation, DatasetPlan } from '../../src/config/datasets/dataset-plan.js';

const nowhere: DatasetLocation = {
  configName: null,
  revision: null,
  dataDir: null,
  dataFiles: null,
  trainSplit: 'train',
  valSplit: 'validation',
};

/** The plan of a dataset of which nothing but its name, and where its files are, is said. */
export function dataPlan(name: string, location: Partial<DatasetLocation> = {}): DatasetPlan {
  return {
    name,
    style: 'ideas',
    path: 'datasetsConfig.ideas[0]',
    memory: null,
    limit: null,
    process: null,
    label: 'x',
    columns: null,
    onBadRow: 'stop',
    contextMode: false,
    systemPrompt: '',
    location: { ...nowhere, ...location },
  };
}
