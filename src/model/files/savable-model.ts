import type { DecoderConfig, NamedWeight, NativeModel } from '../../engine/addon.js';
import type { Quantization } from '../quantization/quantization.js';
import type { ModelAdapter } from '../adapter/model-adapter.js';

/** What saving needs of a CausalLM. */
export interface SavableModel {
  /** The folder it was opened from. */
  readonly dir: string;
  /** Whether it was opened out of a model that takes more than text. */
  readonly isPart: boolean;
  /** config.json as it was read. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly decoder: DecoderConfig;
  readonly parameters: readonly NamedWeight[];
  readonly eosTokenIds: readonly number[];
  readonly adapter: ModelAdapter | undefined;
  readonly quantization: Quantization | undefined;
  call<T>(work: (native: NativeModel) => Promise<T>): Promise<T>;
}
