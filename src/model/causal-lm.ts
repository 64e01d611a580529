import { join, resolve } from 'node:path';
import type { PeftConfig } from '../config/schema/parsed-config.js';
import type { PeftConfigInput } from '../config/schema/config-input.js';
import { parsePeftConfig } from '../config/read/read-peft-config.js';
import { AdaptiveTrainerError } from '../errors.js';
import { expectInput } from '../common/expect-input.js';
import type {
  ComputeType,
  DecoderConfig,
  FlatBatch,
  NamedWeight,
  NativeModel,
  QuantizedWeight,
} from '../engine/addon.js';
import { engineCall } from '../engine/engine-call.js';
import { hubSettings, type HubSettings } from '../common/hub-settings.js';
import {
  adapterVocabulary,
  checkAdapterWeights,
  readAdapterWeights,
  withExperts,
  withTiedHead,
} from './adapter/adapter-weights.js';
import { placedAdapter, planAdapter } from './adapter/plan-adapter.js';
import { startOf } from './adapter/start-of.js';
import { adapterBase, isAdapterFolder } from '../common/adapter-folder.js';
import { findAdapter, refuseSecondAdapter, type FoundAdapter } from './adapter/find-adapter.js';
import type { ModelAdapter } from './adapter/model-adapter.js';
import { withUntiedHead } from './adapter/with-untied-head.js';
import { checkOpenOptions } from './check-open-options.js';
import { createModel } from './create-model.js';
import { openDevice } from '../engine/device/open-device.js';
import { readLaunch } from '../ranks/launch.js';
import { findWeights, type WeightFile } from './files/find-weights.js';
import { flatBatch } from './flat-batch.js';
import type { FromPretrainedOptions } from './from-pretrained-options.js';
import type { GenerateOptions } from './generation/generate-options.js';
import { Generation } from './generation/generation.js';
import { judgeTokens, type JudgedRow, type JudgeOptions, type RowToJudge } from './judge-tokens.js';
import { modelFolder } from './files/model-folder.js';
import { readEosTokenIds } from './files/read-eos-token-ids.js';
import { filesToRead } from './quantization/files-to-read.js';
import { statedQuantization } from './quantization/quantization-config.js';
import {
  describeQuantization,
  type Quantization,
  type QuantizationOptions,
} from './quantization/quantization.js';
import { weightsToQuantize } from './quantization/weights-to-quantize.js';
import { readModelConfig } from './architecture/read-model-config.js';
import { savePretrained, type SaveOptions } from './files/save-pretrained.js';
import { startGeneration } from './generation/start-generation.js';
import { readStoredModel } from './files/stored-model.js';
import { separated } from './files/stored-weights.js';
import { matchWeights, weightNames, type WeightNames } from './weight-patterns.js';

export interface FromConfigOptions extends FromPretrainedOptions {
  /** Seed of the weights; the same seed gives the same model. Default 0. */
  seed?: number;
}

/** @internal What stands on a model of which nothing is read. */
export interface OutlineOptions {
  adapter?: PeftConfig | undefined;
  /** Whether the adapter was saved: names that fit no module are then passed over. Default false. */
  isStored?: boolean;
  /** Default: what config.json says. */
  quantization?: QuantizationOptions | undefined;
  minVocabSize?: number;
}

/** A Hugging Face causal language model in the native engine. */
export class CausalLM {
  private disposed = false;
  /** The adapter that is trained in place of the weights; undefined without one. */
  adapter: ModelAdapter | undefined;
  /** What is kept in 4 or 8 bits, and frozen; undefined for a whole model. */
  quantization: Quantization | undefined;
  /** @internal The files that its weights were read from, under the names that they have here. */
  weightFiles: readonly WeightFile[] = [];
  /** @internal Names of the weights that are frozen, not counting those under an adapter. */
  frozen: ReadonlySet<string> = new Set();
  /** @internal Whether the vocabulary has another size than config.json's. */
  resized = false;

  private constructor(
    /** @internal */
    readonly native: NativeModel,
    /** config.json as it was read; resizeTokenEmbeddings() changes its vocab_size. */
    public config: Readonly<Record<string, unknown>>,
    /** The folder it was read from. */
    readonly dir: string,
    /** @internal */
    public decoder: DecoderConfig,
    /** Name and shape of every weight, as in transformers' modules. */
    public parameters: readonly NamedWeight[],
    /** Ids that end a text, from generation_config.json and config.json, and those added since. */
    public eosTokenIds: readonly number[],
    private readonly source: { base: string; revision: string | null },
    /** @internal Whether it was opened out of a model that takes more than text, which an adapter is then put on. */
    readonly isPart: boolean,
    /** What it computes on: `cpu`, `cuda:0`, … */
    readonly device: string,
  ) {}

  /**
   * Opens a model: a folder with config.json and safetensors, single or sharded, in float32, float16 or bfloat16; or the
   * name of one on the Hub, which is downloaded into the cache that Python's huggingface_hub shares. A folder with
   * adapter_config.json is a PEFT adapter: the base model that it names is opened, and the adapter put on it.
   *
   * @throws AdaptiveTrainerError MODEL_NOT_FOUND, HUB_FAILED, MODEL_CONFIG_INVALID, MODEL_UNSUPPORTED, SAFETENSORS_INVALID,
   * WEIGHTS_MISMATCH (all differences listed), WEIGHTS_NOT_FINITE, NOT_AVAILABLE, or one of the addon's loading
   */
  static async fromPretrained(dirOrHubId: string, options: FromPretrainedOptions = {}): Promise<CausalLM> {
    checkOpenOptions(options);
    const { revision, hub } = options;
    const settings = hubSettings(process.env, hub);
    const dir = await modelFolder(dirOrHubId, { revision, settings });
    const { adapter } = options;
    if (isAdapterFolder(dir)) {
      if (adapter !== undefined) refuseSecondAdapter(dir);
      const { base, revision } = await findAdapter(dir);
      const { baseName: _unused, revision: _ofAdapter, ...others } = options;
      return CausalLM.fromPretrained(adapterBase({ dir, base }), {
        ...others,
        adapter: dir,
        ...(revision === undefined ? {} : { revision }),
      });
    }
    if (typeof adapter !== 'string') return CausalLM.fromBase(dirOrHubId, dir, options, adapter);
    return CausalLM.fromBase(
      dirOrHubId,
      dir,
      options,
      await findAdapter(await modelFolder(adapter, { settings })),
    );
  }

  private static async fromBase(
    name: string,
    dir: string,
    options: FromPretrainedOptions,
    adapter: FoundAdapter | PeftConfigInput | undefined,
  ): Promise<CausalLM> {
    const { config, decoder, isPart, files: unread, embedding } = await readStoredModel(dir, options);
    const source = { base: baseName(name, dir, options), revision: options.revision ?? null, isPart };
    const found = isFound(adapter) ? adapter : undefined;
    const configOf = (one: FoundAdapter | PeftConfigInput) =>
      isFound(one) ? one.config : parsePeftConfig(one, 'adapter');
    const stored = found === undefined ? undefined : await readAdapterWeights(found.weights);
    const vocabulary = stored === undefined ? undefined : adapterVocabulary(stored.tensors);
    const size = Math.max(vocabulary ?? decoder.vocabSize, options.minVocabSize ?? 0);
    const isResized = size !== decoder.vocabSize;
    const model = await CausalLM.open(dir, config, decoder, options, source, async (opened) => {
      const { files: read, quantized } = await filesToRead(opened, unread, options.quantization);
      await opened.quantize(quantized);
      if (adapter !== undefined && !isResized) {
        // Frozen before they are read, weights go into the type that they are computed in.
        await opened.configure(options.dtype ?? 'float32', false);
        await opened.placeAdapter(configOf(adapter), options.adapterSeed ?? 0, isFound(adapter));
      }
      const files = withUntiedHead(separated(read, opened.parameters), opened.parameters, embedding);
      await engineCall(() => opened.native.load({ files }));
      opened.weightFiles = files;
    });
    try {
      if (isResized) {
        await model.resizeTokenEmbeddings(size);
        if (adapter !== undefined)
          await model.placeAdapter(configOf(adapter), options.adapterSeed ?? 0, isFound(adapter));
      }
      if (stored !== undefined) await model.readAdapter(stored);
      if (found !== undefined) await model.stopAsSaved(found.dir);
      return model;
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /** Keeps these weights in fewer bits from now on, also those that are yet to be read. */
  private async quantize(weights: readonly QuantizedWeight[]): Promise<void> {
    if (weights.length > 0) await this.call((native) => native.quantize({ weights: [...weights] }));
    this.quantization = describeQuantization(weights, this.parameters);
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
    checkOpenOptions(options);
    const { revision, hub } = options;
    const dir = await modelFolder(dirOrHubId, { revision, settings: hubSettings(process.env, hub) });
    const { config, decoder, isPart } = await readModelConfig(dir, options);
    const source = { base: baseName(dirOrHubId, dir, options), revision: revision ?? null, isPart };
    const deviation = typeof config['initializer_range'] === 'number' ? config['initializer_range'] : 0.02;
    const paths = decoder.names === 'gpt2' ? Math.sqrt(2 * decoder.layers.length) : 1;
    return CausalLM.open(dir, config, decoder, options, source, ({ native }) =>
      engineCall(() => native.initialise({ deviation, residualDeviation: deviation / paths, seed })),
    );
  }

  /**
   * @internal The model that a folder describes, with an adapter on it and what is kept in fewer bits, but without weights: for what
   * is to be known of it before these are read. Its memory is lent by the system, and never taken.
   */
  static async outline(dir: string, options: OutlineOptions = {}): Promise<CausalLM> {
    const { config, decoder, isPart } = await readModelConfig(dir, { ignoreDropout: true });
    const vocabSize = Math.max(decoder.vocabSize, options.minVocabSize ?? 0);
    const source = { base: dir, revision: null, isPart };
    return CausalLM.open(
      dir,
      config,
      { ...decoder, vocabSize },
      { device: 'cpu' },
      source,
      async (opened) => {
        const { adapter, isStored = false } = options;
        const quantization = statedQuantization(config, dir) ?? options.quantization;
        if (quantization !== undefined)
          await opened.quantize(weightsToQuantize(opened.parameters, quantization));
        if (adapter !== undefined) await opened.placeAdapter(adapter, 0, isStored);
      },
    );
  }

  private static async open(
    dir: string,
    config: Record<string, unknown>,
    decoder: DecoderConfig,
    options: FromPretrainedOptions,
    { isPart, ...source }: { base: string; revision: string | null; isPart: boolean },
    fill: (model: CausalLM) => Promise<void>,
  ): Promise<CausalLM> {
    const device = openDevice(options.device ?? 'auto', readLaunch);
    const native = await createModel(decoder, device);
    try {
      const parameters = await engineCall(() => native.parameters());
      const eos = await readEosTokenIds(dir, config);
      const model = new CausalLM(native, config, dir, decoder, parameters, eos, source, isPart, device);
      await fill(model);
      await model.configure(options.dtype ?? 'float32', false);
      return model;
    } catch (error) {
      native.dispose();
      throw error;
    }
  }

  /** Lets a text end with this token too. It is saved in generation_config.json, whose `eos_token_id` becomes a list. */
  addEosTokenId(id: number): void {
    if (!this.eosTokenIds.includes(id)) this.eosTokenIds = [...this.eosTokenIds, id];
  }

  get vocabSize(): number {
    return this.decoder.vocabSize;
  }

  /** Number of values, tied ones counted once, those of an adapter included. */
  get parameterCount(): number {
    const names = new Set(this.parameters.map(({ name }) => name));
    const added = (this.adapter?.trainable ?? []).filter(({ name }) => !names.has(name));
    return countOf(this.parameters) + countOf(added);
  }

  /** Number of values that training moves: all, or with an adapter its own. */
  get trainableCount(): number {
    return countOf(this.trainable);
  }

  /** Name and shape of every weight that training moves. */
  get trainable(): readonly NamedWeight[] {
    const all = this.adapter?.trainable ?? this.parameters;
    return this.frozen.size === 0 ? all : all.filter(({ name }) => !this.frozen.has(name));
  }

  /** @internal Names of the weights, of an adapter's too. */
  get weightNames(): WeightNames {
    const own = weightNames(this.parameters, this.decoder.tiedHead);
    const added = (this.adapter?.trainable ?? []).map(({ name }) => name);
    return { ...own, names: [...new Set([...own.names, ...added])] };
  }

  /**
   * Freezes the weights that these patterns fit, and no others: `freeze` of the training configuration says how they are
   * written. They gather no gradients and have no state in the optimizer. An adapter's base is frozen anyway; `[]` frees all
   * the rest. With a tied head, it is one weight with the embedding. A trainer with `freeze` of its own replaces these for its run.
   * @throws AdaptiveTrainerError CONFIG_INVALID for a pattern that fits no weight; INVALID_INPUT where nothing is left to train
   */
  async freeze(patterns: readonly string[]): Promise<void> {
    await this.freezeWeights(matchWeights(patterns, this.weightNames, 'freeze').flat());
  }

  /** @internal The same, by whole names. */
  async freezeWeights(names: readonly string[]): Promise<void> {
    await this.call((native) => native.freeze({ names: [...new Set(names)] }));
    this.frozen = new Set(names);
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
   * Mean next-token cross-entropy over all rows (in nats) and its gradient for every weight that training moves, without
   * an adapter's dropout. Gradients that a trainer is
   * gathering are lost.
   */
  async lossAndGradients(
    sequences: readonly ArrayLike<number>[],
  ): Promise<{ loss: number; gradients: Record<string, { data: Float32Array; shape: number[] }> }> {
    const batch = flatBatch(sequences);
    const { loss, gradients } = await this.call((native) => native.lossAndGradients(batch));
    const shaped = this.trainable.map(({ name, shape }) => [
      name,
      { data: gradients[name]!, shape: [...shape] },
    ]);
    return {
      loss,
      gradients: Object.fromEntries(shaped) as Record<string, { data: Float32Array; shape: number[] }>,
    };
  }

  /**
   * What the model makes of every labelled token of rows: its probability and rank, and what the model itself would have said.
   * Logits exist for one chunk of tokens at a time, whatever the number of rows.
   *
   * @example
   * for await (const { nll, rank } of model.judgeTokens([{ inputIds: tokenizer.encode('The sky is blue.') }]))
   *   console.log(nll, rank);
   * @returns a row of judgements for each row, as they come
   * @throws AdaptiveTrainerError INVALID_INPUT for an empty row, an id outside the vocabulary, or labels that do not line up; with
   * `withoutAdapter` also for a model without an adapter, or whose adapter is not all that is trained
   */
  judgeTokens(
    rows: readonly RowToJudge[],
    options: JudgeOptions = {},
  ): AsyncGenerator<JudgedRow, void, undefined> {
    return judgeTokens(this, rows, options);
  }

  /**
   * Continues a prompt, with a key/value cache: `await generate(…).collect()` gives all new tokens, `for await` each as it
   * comes.
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
   * Continues several prompts side by side: each row is what generate() makes of it alone, in less time. `collect()` gives
   * the new tokens of each row, `for await` one token per row and step (-1 once a row has ended).
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
    this.resized = true;
    this.parameters = await this.call((native) => native.parameters());
  }

  /**
   * Freezes the weights and adds a LoRA adapter, which is what is trained and saved from then on. B begins at 0, so the model
   * computes what it did.
   *
   * @param config the keys of PEFT's LoraConfig, in either spelling; `{}` takes every default
   * @throws AdaptiveTrainerError CONFIG_INVALID with all faults of `config`, or where it fits no module; INVALID_INPUT for a
   * model that has an adapter
   */
  async addAdapter(config: PeftConfigInput = {}, { seed = 0 }: { seed?: number } = {}): Promise<void> {
    expectInput(Number.isSafeInteger(seed) && seed >= 0, 'seed', 'a whole number, 0 or more', seed);
    await this.placeAdapter(parsePeftConfig(config, 'adapter'), seed);
  }

  /**
   * Puts a PEFT adapter (a folder, or a name on the Hub) on this model, its base.
   * @throws AdaptiveTrainerError MODEL_NOT_FOUND, MODEL_UNSUPPORTED, CONFIG_INVALID, WEIGHTS_MISMATCH (all differences listed)
   */
  async loadAdapter(dirOrHubId: string, options: { hub?: Partial<HubSettings> } = {}): Promise<void> {
    const dir = await modelFolder(dirOrHubId, { settings: hubSettings(process.env, options.hub) });
    const found = await findAdapter(dir);
    const stored = await readAdapterWeights(found.weights);
    const vocabulary = adapterVocabulary(stored.tensors);
    if (vocabulary !== undefined) await this.resizeTokenEmbeddings(vocabulary);
    await this.placeAdapter(found.config, 0, true);
    await this.readAdapter(stored);
    await this.stopAsSaved(dir);
  }

  /** An adapter may be saved with tokens that end a text beside those of its base. */
  private async stopAsSaved(dir: string): Promise<void> {
    for (const id of await readEosTokenIds(dir, {})) this.addEosTokenId(id);
  }

  /**
   * Folds the adapter into the weights: a plain model from then on, all of whose weights are trained. Frozen weights in
   * bfloat16 round the sum; open the model in float32 to merge without loss. Weights in 4 or 8 bits are made whole again
   * first: the sum is exact, and what quantising them lost stays lost.
   * @throws AdaptiveTrainerError INVALID_INPUT for a model without an adapter
   */
  async mergeAdapter(): Promise<void> {
    if (this.adapter === undefined)
      throw new AdaptiveTrainerError('INVALID_INPUT', 'Expected a model with an adapter, found one without.');
    await this.call((native) => native.mergeAdapter());
    this.adapter = undefined;
    this.quantization = undefined;
    const { quantization_config: _ofTheBase, ...config } = this.config;
    this.config = config;
    await this.noteTables();
    this.frozen = new Set();
  }

  private async placeAdapter(given: PeftConfig, seed: number, isStored = false): Promise<void> {
    const { tiedHead, names } = this.decoder;
    const { parameters, isPart, resized: hasOwnVocabulary } = this;
    const modelType = this.config['model_type'];
    const model = { parameters, modelType, tiedHead, transposed: names === 'gpt2', isPart };
    const plan = planAdapter(given, model, isStored);
    await this.call((native) => native.addAdapter({ ...plan.modules, ...startOf(plan.config), seed }));
    this.frozen = new Set();
    await this.noteTables();
    const trainable = await this.call((native) => native.trainable());
    this.adapter = placedAdapter(plan, trainable, { ...this.source, hasOwnVocabulary });
  }

  /** What trains embedding and head apart takes a tied head off the embedding. */
  private async noteTables(): Promise<void> {
    this.parameters = await this.call((native) => native.parameters());
    if (!this.decoder.tiedHead || !this.parameters.some(({ name }) => name === 'lm_head.weight')) return;
    this.decoder = { ...this.decoder, tiedHead: false };
    this.config = { ...this.config, tie_word_embeddings: false };
  }

  private async readAdapter(file: WeightFile): Promise<void> {
    const named = withExperts(file, this.adapter!.targets);
    const stored = this.decoder.tiedHead ? withTiedHead(named, this.parameters[0]!.name) : named;
    checkAdapterWeights(this.adapter!.trainable, this.parameters, stored);
    await this.call((native) => native.load({ files: [stored], adapter: true }));
  }

  /** @internal Reads the weights back that savePretrained() wrote. */
  async restore(dir: string): Promise<void> {
    if (this.adapter !== undefined)
      return this.readAdapter(await readAdapterWeights(join(dir, 'adapter_model.safetensors')));
    const files = await findWeights(dir);
    await this.call((native) => native.load({ files }));
  }

  /**
   * Writes the model in Hugging Face's layout: config.json, generation_config.json and model.safetensors. A model with an
   * adapter writes the adapter alone, as PEFT does: adapter_config.json and adapter_model.safetensors (and
   * generation_config.json where `addEosTokenId` was called). Each file appears whole or not at all. The tokenizer's files are written by `Tokenizer.savePretrained`.
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
    embeddingNoise = 0,
  ): Promise<void> {
    await this.call((native) =>
      native.configure({ computeType, masterType, gradientCheckpointing, embeddingNoise }),
    );
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

function isFound(adapter: FoundAdapter | PeftConfigInput | undefined): adapter is FoundAdapter {
  return adapter !== undefined && 'weights' in adapter;
}

/** What an adapter calls its base: the name on the Hub, or a path that holds from anywhere. */
function baseName(name: string, dir: string, { baseName }: FromPretrainedOptions): string {
  return baseName ?? (resolve(name) === dir ? dir : name);
}

function countOf(parameters: readonly { shape: number[] }[]): number {
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0);
}
