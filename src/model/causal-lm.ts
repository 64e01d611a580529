import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';
import { expectInput } from '../expect-input.js';
import type { ComputeType, DecoderConfig, NativeModel } from '../native/addon.js';
import { engineCall } from '../native/engine-call.js';
import { hubSettings, type HubSettings } from '../hub/hub-settings.js';
import { loadAddon } from '../native/load-addon.js';
import { checkWeights } from './check-weights.js';
import { findWeights } from './find-weights.js';
import { flatBatch } from './flat-batch.js';
import { Generation, type GenerateOptions } from './generation.js';
import { modelFolder } from './model-folder.js';
import { readDecoderConfig } from './read-decoder-config.js';
import { readJsonFile } from './read-json-file.js';
import { savePretrained, type SaveOptions } from './save-pretrained.js';

export interface FromPretrainedOptions {
  /** `auto` (default) or `cpu`; `cuda` is not available yet. */
  device?: string;
  /** What to compute in; the weights themselves are float32 in either. Default `float32`. */
  dtype?: ComputeType;
  /** null (default), `sdpa` or `eager`: one attention serves all of them on a CPU. */
  attnImpl?: string | null;
  /** Branch, tag or commit of a model on the Hub. Default `main`. */
  revision?: string;
  /** For a model on the Hub; what is left out comes from the environment (HF_ENDPOINT, HF_TOKEN, …). */
  hub?: Partial<HubSettings>;
}

/** A Hugging Face causal language model in the native engine. */
export class CausalLM {
  private disposed = false;

  private constructor(
    /** @internal */
    readonly native: NativeModel,
    /** config.json as it was read. */
    readonly config: Readonly<Record<string, unknown>>,
    /** The folder it was read from. */
    readonly dir: string,
    /** @internal */
    readonly decoder: DecoderConfig,
    /** Name and shape of every weight, as in the checkpoint. */
    readonly parameters: readonly { name: string; shape: number[] }[],
    /** Ids that end a text, from generation_config.json and config.json. */
    readonly eosTokenIds: readonly number[],
  ) {}

  /**
   * Opens a model: a folder with config.json and safetensors, single or sharded, in float32, float16 or bfloat16; or the
   * name of one on the Hub, which is downloaded into the cache that Python's huggingface_hub shares.
   *
   * @throws AdaptiveTrainerError MODEL_NOT_FOUND, HUB_FAILED, MODEL_CONFIG_INVALID, MODEL_UNSUPPORTED, SAFETENSORS_INVALID,
   * WEIGHTS_MISMATCH (all differences listed), WEIGHTS_NOT_FINITE, NOT_AVAILABLE, or one of the addon's loading
   */
  static async fromPretrained(dirOrHubId: string, options: FromPretrainedOptions = {}): Promise<CausalLM> {
    checkOptions(options);
    const { revision, hub } = options;
    const dir = await modelFolder(dirOrHubId, { revision, settings: hubSettings(process.env, hub) });
    const config = await readJsonFile(join(dir, 'config.json'), 'MODEL_CONFIG_INVALID');
    const decoder = readDecoderConfig(config, join(dir, 'config.json'));
    const files = await findWeights(dir);
    const native = await engineCall(async () => loadAddon().createModel(decoder));
    try {
      const parameters = await engineCall(() => native.parameters());
      checkWeights(parameters, files, decoder.tiedHead);
      await engineCall(() => native.load({ files }));
      const model = new CausalLM(
        native,
        config,
        dir,
        decoder,
        parameters,
        await readEosTokenIds(dir, config),
      );
      await model.configure(options.dtype ?? 'float32', false);
      return model;
    } catch (error) {
      native.dispose();
      throw error;
    }
  }

  get vocabSize(): number {
    return this.decoder.vocabSize;
  }

  /** Number of trained values, tied ones counted once. */
  get parameterCount(): number {
    return this.parameters.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0);
  }

  /**
   * Logits of every token of every row: rows are packed, and no row sees another.
   * @returns `data` [tokens, vocabSize], rows in order
   * @throws AdaptiveTrainerError INVALID_INPUT for an empty row or an id outside the vocabulary
   */
  async logits(
    sequences: readonly ArrayLike<number>[],
  ): Promise<{ data: Float32Array; shape: [number, number] }> {
    const batch = flatBatch(sequences);
    const data = await this.call((native) => native.logits(batch));
    return { data, shape: [batch.inputIds.length, this.vocabSize] };
  }

  /**
   * Mean next-token cross-entropy over all rows (in nats) and its gradient for every weight. Gradients that a trainer is
   * gathering are lost.
   */
  async lossAndGradients(
    sequences: readonly ArrayLike<number>[],
  ): Promise<{ loss: number; gradients: Record<string, { data: Float32Array; shape: number[] }> }> {
    const batch = flatBatch(sequences);
    const { loss, gradients } = await this.call((native) => native.lossAndGradients(batch));
    const shaped = this.parameters.map(({ name, shape }) => [
      name,
      { data: gradients[name]!, shape: [...shape] },
    ]);
    return {
      loss,
      gradients: Object.fromEntries(shaped) as Record<string, { data: Float32Array; shape: number[] }>,
    };
  }

  /**
   * Continues a prompt, with a key/value cache. Await the result for all tokens, or iterate over it as they come.
   * @throws AdaptiveTrainerError INVALID_INPUT for an empty prompt or an option out of range
   */
  generate(promptIds: ArrayLike<number>, options: GenerateOptions): Generation {
    const { inputIds } = flatBatch([promptIds], 'promptIds');
    const { maxNewTokens, temperature = 0, topK = 0, topP = 1, seed = 0 } = options;
    const whole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
    expectInput(whole(maxNewTokens, 1), 'maxNewTokens', 'a whole number, 1 or more', maxNewTokens);
    expectInput(
      Number.isFinite(temperature) && temperature >= 0,
      'temperature',
      'a number, 0 or more',
      temperature,
    );
    expectInput(whole(topK, 0), 'topK', 'a whole number, 0 or more', topK);
    expectInput(topP > 0 && topP <= 1, 'topP', 'a number above 0, at most 1', topP);
    expectInput(whole(seed, 0), 'seed', 'a whole number, 0 or more', seed);
    this.checkAlive();
    return new Generation({
      native: this.native,
      begin: () => this.native.startGeneration({ promptIds: inputIds, temperature, topK, topP, seed }),
      maxNewTokens,
      stopTokenIds: options.stopTokenIds ?? this.eosTokenIds,
      signal: options.signal,
    });
  }

  /**
   * Writes the model in Hugging Face's layout: config.json, generation_config.json and model.safetensors. Each file appears
   * whole or not at all. The tokenizer's files are written by `Tokenizer.savePretrained`.
   */
  async savePretrained(dir: string, options: SaveOptions = {}): Promise<void> {
    this.checkAlive();
    await savePretrained(this, dir, options);
  }

  /** @internal Chooses what to compute in, what to keep weights in, and whether blocks are recomputed in backward. */
  async configure(
    computeType: ComputeType,
    gradientCheckpointing: boolean,
    masterType: ComputeType = 'float32',
  ): Promise<void> {
    await this.call((native) => native.configure({ computeType, masterType, gradientCheckpointing }));
  }

  /** @internal A call of the engine, refused once disposed. */
  async call<T>(work: (native: NativeModel) => Promise<T>): Promise<T> {
    this.checkAlive();
    return engineCall(() => work(this.native));
  }

  /** Frees the native memory. Calls that are under way finish. May be called again. */
  dispose(): void {
    if (!this.disposed) this.native.dispose();
    this.disposed = true;
  }

  private checkAlive(): void {
    if (this.disposed) {
      throw new AdaptiveTrainerError(
        'DISPOSED',
        'This model has been disposed. Open it again with fromPretrained().',
      );
    }
  }
}

function checkOptions({ device = 'auto', dtype = 'float32', attnImpl = null }: FromPretrainedOptions): void {
  expectInput(dtype === 'float32' || dtype === 'bfloat16', 'dtype', '"float32" or "bfloat16"', dtype);
  if (/^cuda(:\d+)?$/.test(device)) {
    throw new AdaptiveTrainerError(
      'NOT_AVAILABLE',
      'Computing on a GPU is not available yet. Pass device "cpu" or "auto".',
    );
  }
  expectInput(device === 'auto' || device === 'cpu', 'device', '"auto" or "cpu"', device);
  if (attnImpl !== null && attnImpl !== 'sdpa' && attnImpl !== 'eager') {
    throw new AdaptiveTrainerError(
      'NOT_AVAILABLE',
      `attnImpl "${attnImpl}" is not available. Pass null, "sdpa" or "eager".`,
    );
  }
}

async function readEosTokenIds(dir: string, config: Record<string, unknown>): Promise<number[]> {
  const path = join(dir, 'generation_config.json');
  const generation = existsSync(path) ? await readJsonFile(path, 'MODEL_CONFIG_INVALID') : {};
  const ids = [generation['eos_token_id'] ?? config['eos_token_id']].flat();
  return ids.filter((id): id is number => Number.isSafeInteger(id));
}
