import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { NamedWeight } from '../../engine/addon.js';

/** An adapter that a model has. */
export interface ModelAdapter {
  config: PeftConfig;
  /** Name and shape of every weight that is trained, as PEFT names them behind its prefix `base_model.model.`. */
  trainable: readonly NamedWeight[];
  /** The base model: a folder, or a name on the Hub. */
  base: string;
  revision: string | null;
  /** Whether embeddings with another number of rows than the base's are saved beside it. */
  hasOwnVocabulary: boolean;
  /** Modules with a low-rank addition, and tables of which rows are trained on their own. */
  targets: readonly string[];
  tokenTables: readonly string[];
  /** Whether a tied head is trained as the embedding that it is. */
  keepsTied: boolean;
}
