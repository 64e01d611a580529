import { expect, test } from 'vitest';
import * as library from '../src/index.js';

test('what the library exports, and nothing by accident', () => {
  const names = [
    'TensorBoardTracker',
    'WandbTracker',
    'openTrackers',
    'wandbSettings',
    'AdaptiveTrainer',
    'AdaptiveTrainerError',
    'CausalLM',
    'DatasetMixer',
    'Generation',
    'JsonlTracker',
    'ProgressBar',
    'Tokenizer',
    'adaptiveLoss',
    'applyChatTemplate',
    'downloadDataset',
    'downloadModel',
    'downloadSnapshot',
    'encodeChat',
    'fitVocabulary',
    'hubSettings',
    'learningStyles',
    'parseConfig',
    'previewDatasets',
    'renderTable',
    'setupLibtorch',
    'stopAtEndOfTurn',
    'trainAdaptively',
    'trainingTokenizer',
    'uploadModel',
    'validateConfig',
    'writeReport',
    'inspectDatasets',
    'evaluateModel',
    'Dashboard',
  ];
  expect(Object.keys(library).sort()).toEqual(names.sort());
});
