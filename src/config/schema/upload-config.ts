import * as z from 'zod';
import { field } from './field.js';

/** How the finished model is uploaded: `uploadConfig` of the one-call API. Without a `huggingfaceRepo` it has no effect. */
export const uploadConfigSchema = z.object({
  /** Create the Hub repository as a private one. Default false. */
  isPrivateRepo: field.flag().default(false),
  /** Message of the commit. Default `Upload fine-tuned model with adaptive-select loss`. */
  commitMessage: field.text().default('Upload fine-tuned model with adaptive-select loss'),
});
