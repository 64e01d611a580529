import { adaptiveLossConfigSchema } from './adaptive-loss-config.js';
import { peftConfigSchema } from './peft-config.js';
import { trainingConfigSchema } from './training-config.js';
import { uploadConfigSchema } from './upload-config.js';

/** The camelCase keys of each group of a configuration. */
export const configGroups = {
  trainingConfig: Object.keys(trainingConfigSchema.shape),
  adaptiveLossConfig: Object.keys(adaptiveLossConfigSchema.shape),
  peftConfig: Object.keys(peftConfigSchema.shape),
  uploadConfig: Object.keys(uploadConfigSchema.shape),
};
