import type { PeftConfigInput } from '../config/schema/config-input.js';
import type { HubSettings } from '../common/hub-settings.js';
import type { ComputeType } from '../engine/addon.js';
import type { QuantizationOptions } from './quantization/quantization.js';

/** How to open a model. */
export interface FromPretrainedOptions {
  /**
   * Where to compute: `cpu`, `cuda`, `cuda:1`…, or `auto` (default): the first GPU where this machine has all that it takes
   * (docs/cuda.md).
   */
  device?: string;
  /** What to compute in; the weights themselves are float32 in either. Default `float32`. */
  dtype?: ComputeType;
  /** null (default), `sdpa` or `eager`: one attention serves all of them on a CPU. */
  attnImpl?: string | null;
  /** Branch, tag or commit of a model on the Hub. Default `main`. */
  revision?: string;
  /** For a model on the Hub; what is left out comes from the environment (HF_ENDPOINT, HF_TOKEN, …). */
  hub?: Partial<HubSettings>;
  /** Train without the dropout that config.json asks for. Default false: with it, as transformers does. */
  ignoreDropout?: boolean;
  /**
   * A LoRA adapter: the folder of one (or its name on the Hub) to go on from, or the configuration of a new one. With `dtype`
   * bfloat16 the frozen weights are read straight into that type, and no wider copy is made.
   */
  adapter?: string | PeftConfigInput;
  /**
   * Keep the projections in 4 or 8 bits, as bitsandbytes does; embeddings, head and norms stay as they are. Weights are
   * quantised one by one as they are read. A checkpoint that is quantised already stays as it is. Default: not.
   */
  quantization?: QuantizationOptions;
  /** Seed of the weights of a new adapter. Default 0. */
  adapterSeed?: number;
  /** @internal Gives the vocabulary so many entries where it has fewer. */
  minVocabSize?: number;
  /** @internal What adapter_config.json calls the model. Default: the name or the absolute path. */
  baseName?: string;
}
