// The addon as TypeScript sees it (native/addon). Inputs are checked by the callers in src/; the addon checks again what
// could otherwise crash. Rejections carry a `code`: call through engineCall().

export interface FlatBatch {
  /** Ids of all rows joined, without padding: [tokens]. */
  inputIds: Int32Array;
  /** Where each row begins, and the total at the end: [rows + 1]. */
  cuSeqlens: Int32Array;
}

/** Rows that the model is held to its base on: the last ones of a batch, without labels. */
export interface RetainedRows {
  /** From addBaseRows(); -1: the base is the model with its adapter off. */
  store: number;
  /** Which rows of the store. */
  rows: Int32Array;
  /** What the sum of KL(base ‖ model) over their tokens is multiplied with in the gradient. */
  weight: number;
}

/** What was found on retained rows. */
export interface RetainedReport {
  /** Sum of KL(base ‖ model) over the tokens, nats. */
  divergence: number;
  tokens: number;
}

export interface MicroBatch extends FlatBatch {
  /** [tokens], lined up with inputIds; -100 is not trained. */
  labels: Int32Array;
  /** [rows], indices into learningStyles. */
  styles: Uint8Array;
  /** What dropout draws from in training; absent: no dropout. */
  dropout?: { seed: number; step: number; microBatch: number };
  retained?: RetainedRows;
  /** With several ranks: the last of its window, in whose backward pass gradients are summed. Default false. */
  endsWindow?: boolean;
  /** With checkpointing, what is not recomputed in training. Default: nothing. */
  kept?: KeptBlocks;
}

/** Blocks that keep their activations for the backward pass. */
export interface KeptBlocks {
  /** At most so many, from the last one down. */
  last: number;
  /** One is recomputed after all where fewer bytes than these are left before it. */
  spare: number;
}

/** α and β of the adaptive loss with their Adam moments. */
export interface AdaptiveState {
  alpha: number;
  beta: number;
  alphaMoment1: number;
  alphaMoment2: number;
  betaMoment1: number;
  betaMoment2: number;
  step: number;
}

export interface LossRequest {
  loss: 'adaptive' | 'ce' | 'dft' | 'eaft';
  topK: number;
  /** A first choice counts as correct from this probability on; 0: always. */
  confidence: number;
  /** The micro-batch's share of the labelled tokens of its accumulation window. */
  scale: number;
  /** Share of each label that is spread over the vocabulary. Default 0. */
  labelSmoothing?: number;
  state: AdaptiveState;
}

export interface AdaptiveTerms {
  self: number;
  common: number;
  ideas: number;
  attention: number;
  factor: number;
  loss: number;
}

export interface AdaptiveSums {
  total: number;
  correct: number;
  inTopK: number;
  trained: number;
  /** Sum over the labelled tokens, nats. */
  nll: number;
}

/** The labelled tokens of a micro-batch in order: each array is [labelled tokens]. */
export interface TokenArrays {
  /** Index into the flat batch of the token whose hidden state predicts. */
  positions: Int32Array;
  /** Ids to predict. */
  labels: Int32Array;
  /** Row of the micro-batch, from 0. */
  rows: Int32Array;
  /** −log p(label), nats. */
  nll: Float32Array;
  /** nll with label smoothing; absent without. */
  smoothed?: Float32Array;
  /** −log p(first choice), nats. */
  topNll: Float32Array;
  /** Of the whole distribution, nats. */
  entropy: Float32Array;
  /** How many logits are greater than the label's. */
  rank: Int32Array;
  /** Id of the first choice. */
  predicted: Int32Array;
}

/** The model's own first choices beside them, best first, of equally likely ones the lower id first. */
export interface TokenChoices {
  /** How many of each token: `firstChoices`, or the vocabulary where that is smaller; absent where none were asked for. */
  choices?: number;
  /** [labelled tokens × choices]; -1 beside a NaN. */
  choiceIds?: Int32Array;
  /** −log p of each, nats. */
  choiceNll?: Float32Array;
}

export interface LossReport {
  loss: number;
  terms: AdaptiveTerms;
  sums: AdaptiveSums;
  /** After the step of α and β. */
  state: AdaptiveState;
}

export interface RopeConfig {
  type: 'default' | 'linear' | 'dynamic' | 'llama3' | 'yarn' | 'longrope';
  theta: number;
  /** Entries of a head that are rotated. */
  dims: number;
  factor: number;
  /** Multiplies cos and sin. */
  attentionFactor: number;
  lowFrequencyFactor: number;
  highFrequencyFactor: number;
  betaFast: number;
  betaSlow: number;
  truncate: boolean;
  originalMaxPositions: number;
  /** longrope: [dims / 2]. */
  shortFactors: Float64Array;
  longFactors: Float64Array;
  /** Neighbouring entries turn together, not those half of `dims` apart. */
  interleaved: boolean;
}

/** native/core/model/decoder_config.h says what each means. */
export interface DecoderConfig {
  names:
    | 'llama'
    | 'qwen3'
    | 'phi3'
    | 'gemma2'
    | 'gemma3'
    | 'olmo2'
    | 'phi'
    | 'stablelm'
    | 'starcoder2'
    | 'glm'
    | 'glm4'
    | 'gpt_neox'
    | 'gpt2'
    | 'mixtral'
    | 'qwen2_moe'
    | 'qwen3_moe'
    | 'gpt_oss';
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Learned positions; 0: none. */
  maxPositions: number;
  /** -1: none. */
  paddingId: number;
  normEps: number;
  normOffset: number;
  layerNorm: boolean;
  normWeight: boolean;
  normBias: boolean;
  headNorm: 'none' | 'rms' | 'rms_of_all' | 'layer' | 'layer_of_each';
  parallelResidual: boolean;
  sharedNorm: boolean;
  activation: 'silu' | 'gelu_tanh' | 'gelu' | 'relu' | 'clamped_swiglu';
  gated: boolean;
  tiedHead: boolean;
  headBias: boolean;
  qkvBias: boolean;
  outputBias: boolean;
  mlpBias: boolean;
  qkvByHead: boolean;
  /** 0: none. */
  qkvClip: number;
  embeddingScale: number;
  residualScale: number;
  logitsScale: number;
  /** 0: none. */
  attentionCap: number;
  /** 0: none. */
  logitsCap: number;
  /** Shares that are dropped in training. */
  attentionDropout: number;
  residualDropout: number;
  embeddingDropout: number;
  /** What noise on the embeddings is multiplied with. */
  embeddingNoiseScale: number;
  ropes: RopeConfig[];
  /** Of the layers that are routed. */
  routing?: {
    experts: number;
    /** Experts of a token. */
    active: number;
    /** Of one expert. */
    intermediateSize: number;
    /** Intermediate size of the expert that every token goes through; 0: none. */
    sharedSize: number;
    /** The weights of a token's experts add up to 1. */
    normalised: boolean;
    /** Of the router and of the experts. */
    bias: boolean;
  };
  /** rope: index into ropes, -1: not rotated. window: 0: unbounded. routed: the feed-forward is experts. */
  layers: { rope: number; window: number; attentionScale: number; routed?: boolean }[];
}

export interface StoredTensor {
  name: string;
  dtype: string;
  shape: number[];
  /** Byte range in the file. */
  begin: number;
  end: number;
}

export type ComputeType = 'float32' | 'bfloat16' | 'float16';
export type StorageType = 'F32' | 'BF16' | 'F16';

export interface OptimizerRequest {
  name:
    | 'adamw'
    | 'adamw_8bit'
    | 'sgd'
    | 'lion'
    | 'lion_8bit'
    | 'adafactor'
    | 'rmsprop'
    | 'adagrad'
    | 'ademamix'
    | 'ademamix_8bit';
  beta1: number;
  beta2: number;
  /** Of adamw, ademamix, rmsprop and adagrad. */
  eps: number;
  weightDecay: number;
  /** Of sgd and rmsprop. */
  momentum: number;
  /** What one optimizer alone has. Default: PyTorch's. */
  sgd?: { dampening: number; nesterov: boolean };
  adagrad?: { lrDecay: number };
  rmsprop?: { alpha: number; centered: boolean };
  /** The decay rate of its slow mean, what that is multiplied with, and steps over which each rises (0: none). */
  ademamix?: { beta3: number; alpha: number; alphaWarmup: number; beta3Warmup: number };
  /** What the learning rate of single tensors is multiplied with. Default: 1 for all. */
  rates?: { name: string; multiplier: number }[];
  /** Of the stochastic rounding of bfloat16 weights. */
  seed: number;
  /** With ranks: 1 shares out its state over them, 2 the gradients as well. Default: 0. */
  zeroStage?: number;
  /** adamw, lion, ademamix and their 8-bit kinds: states leave a device with memory of its own as far as they do not fit there. */
  paged?: PagingRequest;
}

/** What decides which states of an optimizer stay on the device, beside what is free there, in bytes. */
export interface PagingRequest {
  /** What a step takes of the device beside weights, gradients and states. Default: a quarter of what gradients leave. */
  restOfStep?: number;
  /** Most that states take of the device. Default: what fits. */
  atMost?: number;
}

/** What a rank holds of a run that is shared out, in values. */
export interface ShardSize {
  /** Weights that it moves. */
  trained: number;
  /** Of these, the ones whose float32 weights it alone holds in mixed precision. */
  apart: number;
  /** Most gradients at a time, where these are shared out. */
  gradients: number;
}

/** What an optimizer step did. */
export interface OptimizerReport {
  /** Before clipping; not finite where the step was skipped. */
  gradNorm: number;
  /** float16 alone: the gradients overflowed. Weights are unchanged, the gradients forgotten, the loss scale halved. */
  skipped: boolean;
  /** What the next loss is multiplied with; 1 but in float16. */
  lossScale: number;
}

/** What an optimizer counts beside its tensors. */
export interface OptimizerCounts {
  /** Steps taken, for its bias correction. */
  steps: number;
  lossScale: number;
  /** Steps since the loss scale last changed. */
  goodSteps: number;
}

/** A projection's weight in 4 or 8 bits. */
export interface QuantizedWeight {
  name: string;
  type: 'nf4' | 'fp4' | 'int8';
  /** Entries that share a scale; of the 4-bit types. */
  blockSize: number;
  /** Scales in 8 bits, too. */
  nested: boolean;
  /** What was taken off such scales; of weights that the file brings quantised. */
  offset: number;
}

export interface AdapterRequest {
  /**
   * module: Hugging Face's name, without .weight; scale: what B·A·x is multiplied with; magnitude: DoRA; form: which of
   * PEFT's tensors A and B are: `embedding` lora_embedding_B and _A, `stored` lora_B and lora_A of a weight that is stored
   * [inputs, outputs], `experts` those of all experts of a layer, whose module is the weight itself.
   */
  targets: {
    module: string;
    rank: number;
    scale: number;
    dropout: number;
    magnitude: boolean;
    form: 'linear' | 'embedding' | 'stored' | 'experts';
  }[];
  /** Trained whole. */
  modulesToSave: string[];
  /** Names of biases that are trained. */
  biases: string[];
  /** Rows of tables that are trained on their own. */
  tokenRows: { module: string; ids: Int32Array }[];
  /** A tied head stays tied where the embedding is trained whole, and shares the embedding's A and B. */
  keepsTied: boolean;
  /** How it begins: A uniform(±1/√inputs) or normal(0, 1/rank), or taken out of the weights. */
  init: 'uniform' | 'gaussian' | 'svd' | 'qr';
  /** Of svd: rounds of the randomised one; -1: all of it is computed. */
  rounds: number;
  seed: number;
}

/** A part of a training step: native/core/session/trace.h. */
export interface TraceSpan {
  name: string;
  category: 'pass' | 'block' | 'sum';
  /** Microseconds since 1970. */
  start: number;
  end: number;
  /** In backward: a block from 0, their number for the head and final norm, -1 below the blocks; else -2. */
  layer: number;
  /** Of a sum. */
  bytes: number;
}

/** A weight of a model. */
export interface NamedWeight {
  /** That of transformers' module. */
  name: string;
  shape: number[];
  /**
   * The tensors of a checkpoint that it is cut into, equal numbers of rows each (those of its last dimension but one);
   * undefined: it stands there as it is.
   */
  stored?: string[];
}

export interface NativeModel {
  /** The weights that config.json describes. */
  parameters(): Promise<NamedWeight[]>;
  /** What gathers gradients: the same, or with an adapter what it trains. */
  trainable(): Promise<NamedWeight[]>;
  /** Freezes the weights of these names and no other, beside those under an adapter. Forgets the optimizer. */
  freeze(request: { names: string[] }): Promise<void>;
  /** Freezes the weights and adds low-rank ones, before or after load(). Forgets the optimizer. */
  addAdapter(request: AdapterRequest): Promise<void>;
  /** Folds the low-rank weights into the others, which are trained again. Forgets the optimizer. */
  mergeAdapter(): Promise<void>;
  /** Keeps these weights in fewer bits, and frozen; before load(), which takes them as floats or as bitsandbytes' bytes. */
  quantize(request: { weights: readonly QuantizedWeight[] }): Promise<void>;
  /** adapter: reads what trainable() lists, and other weights that the file happens to have. */
  load(request: { files: { path: string; tensors: StoredTensor[] }[]; adapter?: boolean }): Promise<void>;
  /** New weights: matrices normal(0, deviation), norms 1, biases 0. */
  initialise(options: { deviation: number; residualDeviation: number; seed: number }): Promise<void>;
  /** Gives embedding and head another number of rows; refused once an optimizer exists. */
  resize(options: { vocabSize: number; seed: number }): Promise<void>;
  /** masterType: of the weights that the optimizer moves; float32, or the same as computeType. */
  configure(options: {
    computeType: ComputeType;
    masterType: ComputeType;
    gradientCheckpointing: boolean;
    /** α of NEFTune, for micro-batches with a dropout key. Default 0: none. */
    embeddingNoise?: number;
  }): Promise<void>;
  /** [tokens, vocabSize], row-major. */
  logits(batch: FlatBatch): Promise<Float32Array>;
  /** Mean cross-entropy in nats; gradients by name, each in the shape of its weight. */
  lossAndGradients(batch: FlatBatch): Promise<{ loss: number; gradients: Record<string, Float32Array> }>;
  /** keptBlocks: those whose activations were kept. */
  trainMicroBatch(
    request: MicroBatch & LossRequest,
  ): Promise<LossReport & { retained: RetainedReport; keptBlocks: number }>;
  /** Forward and statistics; the graph is kept for backward(). */
  forward(
    request: MicroBatch & LossRequest,
  ): Promise<LossReport & { tokens: TokenArrays; keptBlocks: number }>;
  /** weights: ∂loss/∂nll of the last forward(), [labelled tokens]. Default: those of its LossRequest. */
  backward(request: { weights?: Float32Array }): Promise<RetainedReport>;
  /** firstChoices: default 0. withoutAdapter: default false; refused for a model of which an adapter is not all that is trained. */
  evaluate(
    request: MicroBatch &
      LossRequest & {
        firstChoices?: number;
        withoutAdapter?: boolean;
        /** The batch is this rank's part, which may be empty; the loss is that of all parts. Default false. */
        acrossRanks?: boolean;
      },
  ): Promise<LossReport & { tokens: TokenArrays & TokenChoices }>;
  /** Takes the model as it is now for its own base. configure() forgets it. */
  keepBase(): Promise<void>;
  /** The last hidden states of all tokens, as bytes of the type that is computed in: [tokens, hiddenSize]. */
  baseHiddenStates(batch: FlatBatch): Promise<Uint8Array>;
  /** Maps a file of those; cuSeqlens says where each row begins. Returns the store's number. */
  addBaseRows(request: { path: string; tensor: StoredTensor; cuSeqlens: Int32Array }): Promise<number>;
  /** How far the model has moved from its base on a batch that is all retained rows. */
  divergence(batch: FlatBatch & { retained: RetainedRows }): Promise<RetainedReport>;
  /** Lets steps pull the weights to what they are now, which the files hold; WEIGHTS_MISMATCH where they do not. */
  setBaseWeights(request: { files: { path: string; tensors: StoredTensor[] }[] }): Promise<void>;
  /** Tells models apart by their weights, an adapter's left out. */
  weightsDigest(): Promise<string>;
  /**
   * Bytes of its states where the weights are (held) and in main memory beside a device with memory of its own (paged); of the
   * latter, those that the system did not pin.
   */
  createOptimizer(options: OptimizerRequest): Promise<{ held: number; paged: number; unpinned: number }>;
  /** Clip, step, weight −= pull·(weight − base), clear. */
  optimizerStep(options: {
    learningRate: number;
    maxGradNorm: number;
    pull: number;
  }): Promise<OptimizerReport>;
  /** Runs the micro-batch again and names the first module whose output is not finite; '' when all are. */
  findNonFinite(batch: MicroBatch): Promise<{ module: string; rows: Int32Array }>;
  /** Keeps a trace of what is trained from now on. */
  beginTrace(): Promise<void>;
  /** That trace, in order of start, which ends with this. */
  takeTrace(): Promise<TraceSpan[]>;
  /**
   * Bytes held by the model's tensors (gradients: in the last window), what the system (its control groups and limits included) has left, and what the process
   * has of its own to use again.
   */
  memory(): Promise<{
    weights: number;
    gradients: number;
    optimizer: number;
    /** In main memory, where the weights are on a device with memory of its own; not in `optimizer`. */
    pagedOptimizer: number;
    available: number;
    reusable: number;
    /** Of the device that the model is on, or will be: what tensors can still take, all it has, what they take and took at most. */
    device?: { available: number; total: number; held: number; peak: number };
  }>;
  /** What has to survive a restart, in the order that saveOptimizer writes. */
  optimizerState(): Promise<
    OptimizerCounts & { tensors: { name: string; shape: number[]; dtype: string }[] }
  >;
  saveOptimizer(request: { path: string; header: string }): Promise<void>;
  /** files: the one that saveOptimizer wrote. */
  loadOptimizer(
    request: OptimizerCounts & { files: { path: string; tensors: StoredTensor[] }[] },
  ): Promise<void>;
  clearGradients(): Promise<void>;
  /**
   * Trains together with other ranks from now on; each micro-batch is this rank's part of it. undefined: alone again. All ranks
   * call it. `collectives`: what a model on a device sums over, or why there is none. Gives why it sums by way of the host;
   * undefined: it does not.
   */
  joinRanks(request: {
    ranks?: NativeRanks | undefined;
    collectives?: NativeCollectives | string | undefined;
  }): Promise<string | undefined>;
  /** Replaces what is trained, and the optimizer, by those of rank 0. */
  copyFromFirstRank(): Promise<void>;
  /** What each of so many ranks would hold of a run that is shared out. */
  shards(request: { ranks: number }): Promise<ShardSize[]>;
  // All ranks call these; without a zeroStage they do nothing.
  /** Leaves masters that are not computed with to the ranks that move them. */
  shareMasters(): Promise<void>;
  /** Lends rank 0 what the others hold, by way of a file of that path there, which is gone once this resolves. */
  gatherAtFirst(request: { path: string; masters: boolean; optimizer: boolean }): Promise<void>;
  returnGathered(): Promise<void>;
  /** Every rank holds the whole model again, and none an optimizer. */
  endSharing(): Promise<void>;
  /** plain: A and B that were taken out of the weights have twice the rank, and fit the weights as they were. */
  save(request: {
    path: string;
    header: string;
    names: string[];
    dtype: StorageType;
    plain?: boolean;
  }): Promise<void>;
  startGeneration(
    options: FlatBatch & {
      temperature: number;
      topK: number;
      topP: number;
      repetitionPenalty: number;
      seed: number;
      stopTokenIds: Int32Array;
    },
  ): Promise<NativeGeneration>;
  /** The next id of each row, [rows]; -1 for rows that have ended. */
  nextTokens(generation: NativeGeneration): Promise<{ tokens: Int32Array; ended: boolean }>;
  /** Lets go of its caches, which otherwise stay until the handle is collected. */
  endGeneration(generation: NativeGeneration): Promise<void>;
  dispose(): void;
}

declare const generation: unique symbol;
/** Handle of the sequences being generated. */
export interface NativeGeneration {
  readonly [generation]: true;
}

declare const ranks: unique symbol;
/** Handle of the ranks that train together (native/core/dist). */
export interface NativeRanks {
  readonly [ranks]: true;
}

declare const collectives: unique symbol;
/** Handle of what works on tensors of a device over all ranks (native/core/dist/device_collectives.h). */
export interface NativeCollectives {
  readonly [collectives]: true;
}

/** adaptive_trainer_ranks.node, loaded where there are several. */
export interface RanksLibrary {
  /** Waits for all ranks. RANKS_FAILED where some do not come in time. */
  joinGroup(request: {
    /** Of the store in which they find each other. */
    host: string;
    port: number;
    servesStore: boolean;
    prefix: string;
    attempt: number;
    /** This rank's own, as the others reach it; empty: that of its host name. */
    address: string;
    rank: number;
    size: number;
    /** Until all have come. */
    meetSeconds: number;
    /** Until a work of all is done. */
    workSeconds: number;
  }): Promise<NativeRanks>;
  /** What works on tensors of a device over all ranks, from a library that is loaded. NOT_AVAILABLE where it does not load. */
  deviceCollectives(request: { file: string }): NativeCollectives;
}

export interface NativeAddon {
  /** In the same order at all ranks. RANKS_FAILED where one is gone, or does not come in time. */
  sumOverRanks(request: { ranks: NativeRanks; numbers: Float64Array }): Promise<Float64Array>;
  /** A table that all ranks share. Keys that begin with / outlive a restart of the ranks by torchrun. */
  writeForRanks(request: { ranks: NativeRanks; key: string; value: string }): Promise<void>;
  readOfRanks(request: { ranks: NativeRanks; key: string }): Promise<string | undefined>;
  /** The number at a key, from 0, after `amount` is added. */
  addForRanks(request: { ranks: NativeRanks; key: string; amount: number }): Promise<number>;
  /** Leaves the others, whose work fails then. At once, and more than once is harmless. */
  leaveRanks(request: { ranks: NativeRanks }): void;
  /** Version of the libtorch it was built against. */
  readonly libtorch: string;
  /** Instruction set in use: DEFAULT, AVX2 or AVX512. */
  readonly cpuCapability: string;
  /**
   * Whether bfloat16 is multiplied with instructions made for it, which makes it faster than float32. Without, the engine
   * multiplies it by way of float32. `ONEDNN_MAX_CPU_ISA` is honoured.
   */
  readonly bfloat16Instructions: boolean;
  /**
   * For a process about to exit: drops queued calls and waits for the one that runs; after two seconds it ends the process
   * with that status instead.
   */
  restOrExit(status: number): void;
  /** Threads of each operator; 0 asks without changing. */
  setThreads(options: { threads: number }): Promise<number>;
  /** Gives memory that the process holds and does not use back to the system. */
  releaseMemory(): Promise<void>;
  /** GPUs that libtorch computes on; 0 until its half for CUDA is loaded, and where there are none. */
  cudaDevices(): number;
  /** What a small model computes otherwise on this device than on the CPU, in words; empty: nothing. */
  checkDevice(device: string): Promise<string>;
  /** A decoder on a device: `cpu` (default) or `cuda:<index>`. */
  createModel(config: DecoderConfig, device?: string): Promise<NativeModel>;
  adaptiveLoss(request: {
    /** [rows, seq, hiddenSize] */
    hidden: Float32Array;
    /** [vocabSize, hiddenSize] */
    weight: Float32Array;
    /** [rows, seq] */
    labels: Int32Array;
    demarcationIds: Int32Array;
    /** [rows], indices into learningStyles. */
    styles: Uint8Array;
    rows: number;
    seq: number;
    hiddenSize: number;
    vocabSize: number;
    loss: LossRequest['loss'];
    topK: number;
    confidence: number;
    labelSmoothing?: number;
    scale: number;
    /** 0: as many as fit the memory that is free. */
    chunkTokens: number;
    bfloat16: boolean;
    training: boolean;
    state: AdaptiveState;
  }): Promise<{
    loss: number;
    terms: AdaptiveTerms;
    sums: AdaptiveSums;
    state: AdaptiveState;
    tokens: TokenArrays;
    /** [rows, seq, hiddenSize] */
    gradHidden?: Float32Array;
    /** [vocabSize, hiddenSize] */
    gradWeight?: Float32Array;
  }>;
}
