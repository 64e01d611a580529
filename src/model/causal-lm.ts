import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';
import { expectInput } from '../expect-input.js';
import type { ComputeType, DecoderConfig, FlatBatch, NativeModel } from '../native/addon.js';
import { engineCall } from '../native/engine-call.js';
import { hubSettings, type HubSettings } from '../hub/hub-settings.js';
import { loadAddon } from '../native/load-addon.js';
import { checkWeights } from './check-weights.js';
import { findWeights } from './find-weights.js';
import { flatBatch } from './flat-batch.js';
import { fullWeightNames } from './full-weight-names.js';
import type { GenerateOptions } from './generate-options.js';
import { Generation } from './generation.js';
import { modelFolder } from './model-folder.js';
import { readDecoderConfig } from './read-decoder-config.js';
import { readJsonFile } from './read-json-file.js';
import { savePretrained, type SaveOptions } from './save-pretrained.js';
import { startGeneration } from './start-generation.js';
import { storedHead } from './stored-head.js';

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
  /** Open a model whose config.json asks for dropout, and train it without. Default false: it is refused. */
  ignoreDropout?: boolean;
}

export interface FromConfigOptions extends FromPretrainedOptions {
  /** Seed of the weights; the same seed gives the same model. Default 0. */
  seed?: number;
}

interface Opened {
  native: NativeModel;
  parameters: CausalLM['parameters'];
}

/** A Hugging Face causal language model in the native engine. */
export class CausalLM {
  private disposed = false;

  private constructor(
    /** @internal */
    readonly native: NativeModel,
    /** config.json as it was read; resizeTokenEmbeddings() changes its vocab_size. */
    public config: Readonly<Record<string, unknown>>,
    /** The folder it was read from. */
    readonly dir: string,
    /** @internal */
    public decoder: DecoderConfig,
    /** Name and shape of every weight, as in the checkpoint. */
    public parameters: readonly { name: string; shape: number[] }[],
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
    const { dir, config, decoder } = await readModelFolder(dirOrHubId, options);
    const embedding = decoder.names === 'gpt2' ? 'transformer.wte.weight' : 'model.embed_tokens.weight';
    const named = fullWeightNames(await findWeights(dir), embedding);
    const head = await storedHead(named, embedding, decoder.tiedHead);
    const own = { ...decoder, tiedHead: head.tied };
    // A checkpoint with a head of its own is saved as one.
    const untied = head.tied !== decoder.tiedHead;
    const stated = untied ? { ...config, tie_word_embeddings: false } : config;
    return CausalLM.open(dir, stated, own, options, async ({ native, parameters }) => {
      checkWeights(parameters, head.files);
      await engineCall(() => native.load({ files: head.files }));
    });
  }

  /**
   * A model with new weights, to train from scratch: a folder with config.json (and a tokenizer) is enough. Initialised as
   * transformers does: matrices normal(0, initializer_range), norms 1, biases 0; GPT-2's residual projections are divided
   * by √(2 · layers).
   *
   * @throws AdaptiveTrainerError MODEL_NOT_FOUND, MODEL_CONFIG_INVALID, MODEL_UNSUPPORTED, INVALID_INPUT, or one of the
   * addon's loading
   */
  static async fromConfig(dirOrHubId: string, options: FromConfigOptions = {}): Promise<CausalLM> {
    const { seed = 0 } = options;
    expectInput(Number.isSafeInteger(seed) && seed >= 0, 'seed', 'a whole number, 0 or more', seed);
    const { dir, config, decoder } = await readModelFolder(dirOrHubId, options);
    const deviation = typeof config['initializer_range'] === 'number' ? config['initializer_range'] : 0.02;
    const paths = decoder.names === 'gpt2' ? Math.sqrt(2 * decoder.layers.length) : 1;
    return CausalLM.open(dir, config, decoder, options, ({ native }) =>
      engineCall(() => native.initialise({ deviation, residualDeviation: deviation / paths, seed })),
    );
  }

  private static async open(
    dir: string,
    config: Record<string, unknown>,
    decoder: DecoderConfig,
    options: FromPretrainedOptions,
    fill: (opened: Opened) => Promise<void>,
  ): Promise<CausalLM> {
    const native = await engineCall(async () => loadAddon().createModel(decoder));
    try {
      const parameters = await engineCall(() => native.parameters());
      await fill({ native, parameters });
      const eos = await readEosTokenIds(dir, config);
      const model = new CausalLM(native, config, dir, decoder, parameters, eos);
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
  generate(promptIds: ArrayLike<number>, options: GenerateOptions): Generation<number, number[]> {
    const begin = this.start(flatBatch([promptIds], 'promptIds'), options);
    return new Generation(
      begin,
      (tokens) => tokens[0]!,
      (steps) => [...steps],
    );
  }

  /**
   * Continues several prompts side by side: each row is what generate() makes of it alone, in less time. Await the result
   * for the new tokens of each row, or iterate over it for one token per row and step (-1 once a row has ended).
   * @throws AdaptiveTrainerError INVALID_INPUT for no prompts, an empty one or an option out of range
   */
  generateBatch(
    prompts: readonly ArrayLike<number>[],
    options: GenerateOptions,
  ): Generation<number[], number[][]> {
    const begin = this.start(flatBatch(prompts, 'prompts'), options);
    return new Generation(
      begin,
      (tokens) => [...tokens],
      (steps) => prompts.map((_, row) => steps.map((step) => step[row]!).filter((id) => id >= 0)),
    );
  }

  private start(prompts: FlatBatch, options: GenerateOptions) {
    this.checkAlive();
    return startGeneration(this.native, prompts, options, this.eosTokenIds);
  }

  /**
   * Gives the vocabulary `size` entries, as transformers' resize_token_embeddings: the first ones stay, new ones are drawn
   * around the mean of the old ones. Call it before training, after tokens were added to the tokenizer.
   *
   * @throws AdaptiveTrainerError INVALID_INPUT for a size below 1 or once training has begun
   */
  async resizeTokenEmbeddings(size: number, { seed = 0 }: { seed?: number } = {}): Promise<void> {
    expectInput(Number.isSafeInteger(size) && size >= 1, 'size', 'a whole number, 1 or more', size);
    expectInput(Number.isSafeInteger(seed) && seed >= 0, 'seed', 'a whole number, 0 or more', seed);
    if (size === this.vocabSize) return;
    await this.call((native) => native.resize({ vocabSize: size, seed }));
    this.decoder = { ...this.decoder, vocabSize: size };
    this.config = { ...this.config, vocab_size: size };
    this.parameters = await this.call((native) => native.parameters());
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

async function readModelFolder(dirOrHubId: string, options: FromPretrainedOptions) {
  checkOptions(options);
  const { revision, hub } = options;
  const dir = await modelFolder(dirOrHubId, { revision, settings: hubSettings(process.env, hub) });
  const path = join(dir, 'config.json');
  const config = await readJsonFile(path, 'MODEL_CONFIG_INVALID');
  return { dir, config, decoder: readDecoderConfig(config, path, options) };
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
