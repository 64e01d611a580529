// Made by "npm run docs" from the schemas beside it, which are what to edit.
import type { Tracker } from '../../events/tracker.js';
import type { RetentionText } from './retention.js';

/** Settings of a learning-rate schedule under the names of transformers; each belongs to certain schedules. */
export interface LrSchedulerKwargs {
  /**
   * cosine and cosine_with_min_lr: waves, 0.5 being one descent; cosine_with_restarts: descents. Default: 0.5, and 1
   * with restarts.
   */
  numCycles?: number | undefined;
  /** polynomial: the exponent. Default 1. */
  power?: number | undefined;
  /** polynomial: the last rate, below `learningRate`. Default 1e-7. */
  lrEnd?: number | undefined;
  /** cosine_with_min_lr, where it excludes `minLrRate`, and reduce_lr_on_plateau: the lowest rate. Default: none. */
  minLr?: number | undefined;
  /** cosine_with_min_lr: the lowest rate as a share of the highest. Default: none. */
  minLrRate?: number | undefined;
  /**
   * inverse_sqrt: steps after which the rate would be 1/√2 of its highest. Default: `warmupSteps`, or 10,000 without.
   */
  timescale?: number | undefined;
  /** warmup_stable_decay: steps of the decay. Default: a tenth of the run. */
  numDecaySteps?: number | undefined;
  /** warmup_stable_decay: steps at the highest rate. Default: what warm-up and decay leave of the run. */
  numStableSteps?: number | undefined;
  /** warmup_stable_decay: how the rate rises. Default `linear`. */
  warmupType?: 'linear' | 'cosine' | '1-sqrt' | undefined;
  /** warmup_stable_decay: how the rate falls. Default `cosine`. */
  decayType?: 'linear' | 'cosine' | '1-sqrt' | undefined;
  /** warmup_stable_decay: where the rate begins and ends, as a share of the highest. Default 0. */
  minLrRatio?: number | undefined;
  /** reduce_lr_on_plateau: whether less or more of `metricForBestModel` is better. Default: by `greaterIsBetter`. */
  mode?: 'min' | 'max' | undefined;
  /** reduce_lr_on_plateau: what the rate is multiplied with. Default 0.1. */
  factor?: number | undefined;
  /** reduce_lr_on_plateau: evaluations without a better one that are put up with. Default 10. */
  patience?: number | undefined;
  /** reduce_lr_on_plateau: what counts as better, as a share of the best or a difference to it. Default 1e-4. */
  threshold?: number | undefined;
  /** reduce_lr_on_plateau: whether `threshold` is a share or a difference. Default `rel`. */
  thresholdMode?: 'rel' | 'abs' | undefined;
  /** reduce_lr_on_plateau: evaluations after a fall that are not counted. Default 0. */
  cooldown?: number | undefined;
  /** reduce_lr_on_plateau: the least fall that is made. Default 1e-8. */
  eps?: number | undefined;
}

/**
 * Settings of an optimizer under the names of transformers' `optim_args`; each belongs to certain optimizers. What has
 * a key of its own in the training configuration means that key.
 */
export interface OptimArgs {
  /** sgd and rmsprop: the same as `momentum`. Default: what that says. */
  momentum?: number | undefined;
  /**
   * sgd, with a momentum: what is taken off the gradient that joins it, as a share; the first step is spared. Default
   * 0.
   */
  dampening?: number | undefined;
  /** sgd, with a momentum and without dampening: Nesterov's. Default false. */
  nesterov?: boolean | undefined;
  /** adagrad: the rate of step t is divided by 1 + (t − 1) · this. Default 0. */
  lrDecay?: number | undefined;
  /**
   * rmsprop: decay rate of the mean of squared gradients; ademamix: the same as `ademamixAlpha`. Default: 0.99, and
   * what that says.
   */
  alpha?: number | undefined;
  /**
   * rmsprop and adagrad: added to the denominator; ademamix: the same as `adamEpsilon`. Default: 1e-8, 1e-10, and what
   * that says.
   */
  eps?: number | undefined;
  /** rmsprop: divide by the deviation of gradients from their mean, which takes 4 bytes per weight. Default false. */
  centered?: boolean | undefined;
  /** ademamix: the same as `adamBeta1`. Default: what that says. */
  beta1?: number | undefined;
  /** ademamix: the same as `adamBeta2`. Default: what that says. */
  beta2?: number | undefined;
  /** ademamix: the same as `adamBeta3`. Default: what that says. */
  beta3?: number | undefined;
  /** ademamix: steps over which `alpha` is reached. Default: `ademamixWarmupSteps`. */
  tAlpha?: number | undefined;
  /** ademamix: steps over which `beta3` is reached. Default: `ademamixWarmupSteps`. */
  tBeta3?: number | undefined;
  /**
   * sgd, rmsprop and adagrad: without effect, since every weight has `weightDecay`, here as in transformers. Default:
   * none.
   */
  weightDecay?: number | undefined;
}

/**
 * Learning without forgetting: beside the loss, each step takes tokens of other text, and KL(base ‖ model) on them
 * holds the model to what the base model says there. Every key is optional; `{}` takes every default.
 */
export interface RetentionInput {
  /**
   * Text to hold the model on: `self`, what the base model itself writes before the first step; datasets of your own,
   * texts or chats, listed as in `datasetsConfig`; or a list of both. Default `self`.
   */
  source?: RetentionText | readonly RetentionText[] | undefined;
  /** Sequences that the base model writes: once per base model, kept in the cache folder. Default 1000. */
  samples?: number | undefined;
  /** Tokens of each of them. Default 64. */
  length?: number | undefined;
  /** λ, what the divergence counts beside the loss. 0 leaves it to `pullToBase`. Default 1. */
  weight?: number | undefined;
  /** Tokens of this text that a step takes. Default 128. */
  tokensPerStep?: number | undefined;
  /** Steps from one that takes them to the next. Default 1. */
  every?: number | undefined;
  /**
   * Choose weight and tokensPerStep so that the time of a step rises by at most a tenth; the two are where it starts.
   * Default false.
   */
  auto?: boolean | undefined;
  /**
   * How strongly weights are pulled to their start, in place of `weightDecay`: the sum over all steps of what a step
   * pulls them by, so it means the same at any learning rate and number of steps. 0: not at all, with `weightDecay` as
   * ever. Default null: 2.5, or 0 where every dataset is learned as `attention`, whose rows are to be known by heart.
   */
  pullToBase?: number | null | undefined;
}

/**
 * How to train: `trainingConfig` of the one-call API, `args` of the trainer. Every key is optional and may also be
 * written in snake_case (`max_length_token`). A step is one update of the weights: `gradientAccumulationSteps`
 * micro-batches of `batchSize` rows.
 */
export interface TrainingConfigInput {
  /**
   * Folder for checkpoints, `metrics.jsonl` and `final_model`, where it is not given beside the training configuration.
   * Default null.
   */
  outputDir?: string | null | undefined;
  /** Name of the run in reports. Default `my_adaptive_run`. */
  runName?: string | undefined;
  /**
   * Where the run is reported beside `metrics.jsonl`: `wandb`, `tensorboard`, trackers of your own (objects with
   * `onEvent` and `close`), or a list of them; `none` for nothing else, `all` for both. Default null: as `useWandb`
   * says.
   */
  reportTo?:
    | 'jsonl'
    | 'wandb'
    | 'tensorboard'
    | 'all'
    | 'none'
    | Tracker
    | ('jsonl' | 'wandb' | 'tensorboard' | 'all' | 'none' | Tracker)[]
    | null
    | undefined;
  /**
   * Weights & Biases project; the variable WANDB_PROJECT goes before the default. Default `my-adaptive-experiments`.
   */
  wandbProject?: string | undefined;
  /** Weights & Biases user or team. Default null: WANDB_ENTITY, else the account's own. */
  wandbEntity?: string | null | undefined;
  /**
   * Report to Weights & Biases: `auto` where there is a key (WANDB_API_KEY or .netrc), true also without one, into a
   * folder that `wandb sync` sends later; false never. Default `auto`.
   */
  useWandb?: 'auto' | boolean | undefined;
  /** Longest row in tokens; longer ones are dropped and counted. Default 4096. */
  maxLengthToken?: number | undefined;
  /** Recorded in the saved tokenizer; nothing is padded here, so it changes no number. Default `left`. */
  paddingSide?: 'left' | 'right' | undefined;
  /** Rows of a training micro-batch. Default 4. */
  batchSize?: number | undefined;
  /** Rows of an evaluation batch. Default: `batchSize`. */
  evalBatchSize?: number | null | undefined;
  /** Micro-batches per step. Default 16. */
  gradientAccumulationSteps?: number | undefined;
  /**
   * Most tokens of a training micro-batch, which then takes as many rows as fit, in place of `batchSize`. Default null.
   */
  maxTokensPerBatch?: number | null | undefined;
  /** How datasets are mixed: every row once (`concat`), or drawn at random (`interleave`). Default `concat`. */
  mixing?: 'concat' | 'interleave' | undefined;
  /**
   * For `interleave`: how likely each dataset is to be drawn from, by its name; scaled to sum to 1. Default null:
   * equally.
   */
  mixingProbabilities?: Record<string, number> | null | undefined;
  /**
   * For `interleave`: stop when one dataset is used up, or when all are, the small ones repeated. Default
   * `first_exhausted`.
   */
  mixingStop?: 'first_exhausted' | 'all_exhausted' | undefined;
  /**
   * Chat template in place of the model's own: `llama`, `phi`, `qwen`, `smollm`, `chatml` or Jinja text. Default null.
   */
  chatTemplate?: string | null | undefined;
  /** Train the header of assistant turns too, as the Python package does, not the answers alone. Default false. */
  trainOnHeader?: boolean | undefined;
  /** Train on the rows in a new random order each epoch, or in the order given. Default true. */
  shuffle?: boolean | undefined;
  /** Highest learning rate, reached after the warm-up. Default 2e-5. */
  learningRate?: number | undefined;
  /**
   * Weight decay, decoupled (per step and unit of learning rate) except with `sgd`, `rmsprop` and `adagrad`, where it
   * joins the gradient. Default 0.01.
   */
  weightDecay?: number | undefined;
  /** Steps over which the learning rate rises from 0; below 1 a share of all steps, rounded up. Default 10. */
  warmupSteps?: number | undefined;
  /** The same as a share of all steps, in place of `warmupSteps`. Default null. */
  warmupRatio?: number | null | undefined;
  /**
   * How the learning rate moves after the warm-up; `wsd` is short for `warmup_stable_decay`. `reduce_lr_on_plateau` has
   * no warm-up and falls when `metricForBestModel` no longer gets better. Default `cosine`.
   */
  lrSchedulerType?:
    | 'cosine'
    | 'linear'
    | 'constant'
    | 'constant_with_warmup'
    | 'cosine_with_min_lr'
    | 'cosine_with_restarts'
    | 'polynomial'
    | 'inverse_sqrt'
    | 'wsd'
    | 'warmup_stable_decay'
    | 'reduce_lr_on_plateau'
    | undefined;
  /** Settings of the schedule, those of transformers' `lr_scheduler_kwargs`. Default: none. */
  lrSchedulerKwargs?: LrSchedulerKwargs | undefined;
  /** For `cosine_with_min_lr`, which needs it: the lowest rate as a share of `learningRate`, 0 to 1. Default null. */
  minLrRate?: number | null | undefined;
  /** Passes over the training rows; a fraction ends inside one. Default 3. */
  numEpochs?: number | undefined;
  /** Steps to take whatever `numEpochs` says; −1 (default) leaves it to `numEpochs`. */
  maxSteps?: number | undefined;
  /** Seed of the row order, of dropout and of noise, 0 to 2³² − 1. Default 42. */
  seed?: number | undefined;
  /**
   * What weights are kept and computed in, on any machine, in place of `fp16` and `bf16`. `fp32`; `bf16` and `fp16`:
   * float32 weights, low-precision compute (float16 with dynamic loss scaling; slow on a CPU); `bf16-true`: weights in
   * bfloat16 too, rounded stochastically (by `seed`) after each step, for the least memory. Default null: what `fp16`
   * and `bf16` say.
   */
  precision?: 'fp32' | 'bf16' | 'fp16' | 'bf16-true' | null | undefined;
  /**
   * QLoRA: keep the projections of the frozen base in 4 bits, as bitsandbytes does, and train the adapter of
   * `peftConfig` on them. Embeddings, head and norms stay as they are. A base that was saved in 4 bits needs no such
   * key. Default false.
   */
  loadIn4bit?: boolean | undefined;
  /** The same in 8 bits, with a scale for each row. Default false. */
  loadIn8bit?: boolean | undefined;
  /** What the 4 bits stand for: `nf4` (default) or `fp4`. */
  bnb4bitQuantType?: 'nf4' | 'fp4' | undefined;
  /** Keep the scales of 4-bit blocks in 8 bits, too. Default true. */
  bnb4bitUseDoubleQuant?: boolean | undefined;
  /** What to compute in with a base in 4 bits: short for `precision` `fp32` or `bf16`. Default null: what that says. */
  bnb4bitComputeDtype?: 'float32' | 'bfloat16' | null | undefined;
  /**
   * Modules of the base that are to stay whole in any case: beginnings of their names, as regular expressions, or ends.
   * Default null: none but embeddings, head and norms.
   */
  llmInt8SkipModules?: string[] | null | undefined;
  /** Attention: `sdpa` (fused) or `eager`; null (default) takes sdpa where it serves, else eager. */
  attnImpl?: 'sdpa' | 'eager' | null | undefined;
  /** Train a model whose config.json asks for dropout, without it. Default false: it is applied, as in transformers. */
  ignoreDropout?: boolean | undefined;
  /**
   * Begin with new weights, drawn by `seed` as transformers does: the model's folder needs a config.json and a
   * tokenizer, and weights in it are not read. Default false: a folder without weights is an error.
   */
  fromScratch?: boolean | undefined;
  /**
   * Mixed precision where it is faster: on a GPU computed in float16; in bfloat16 on a CPU with instructions for it, in
   * float32 on others. Default true, or false where `bf16` is true.
   */
  fp16?: boolean | undefined;
  /**
   * As `fp16`; on a GPU computed in bfloat16. With `fp16` and `bf16` both false it trains in float32. Default false.
   */
  bf16?: boolean | undefined;
  /**
   * Recompute each block in the backward pass instead of keeping its activations: all (true), none (false), or with
   * `auto` those that do not fit into the memory that is free. The numbers are the same. Default `auto`.
   */
  gradientCheckpointing?: 'auto' | boolean | undefined;
  /**
   * Accepted for the Python package's sake: the fused kernels are always on here, with true or false. Default false.
   */
  useLigerKernel?: boolean | undefined;
  /**
   * Weights that are not trained, by patterns of their names: a weight or a module, with `*`, `?`, `[0-3]` and
   * `{0..11}` (`model.embed_tokens`, `model.layers.[0-3].*`), or a regular expression. They take no memory for
   * gradients and the optimizer. A pattern that fits no weight is an error. Default null: none.
   */
  freeze?: string[] | null | undefined;
  /** The reverse: patterns of the weights that are trained, all others are frozen. Default null. */
  unfrozenParameters?: string[] | null | undefined;
  /**
   * What the learning rate of some weights is multiplied with, by patterns as in `freeze`; the first one that fits a
   * weight counts. What is reported is `learningRate`. Default null: 1 for all.
   */
  learningRateMultipliers?: Record<string, number> | null | undefined;
  /**
   * Lets lower layers learn more slowly: head and final norm learn at the full rate, each block at so many times that
   * of the one above it, the embeddings below them all. Default null: 1.
   */
  layerwiseLrDecay?: number | null | undefined;
  /**
   * LoRA+ (Hayou et al. 2024): what the learning rate of an adapter's B, and of every vector beside it, is multiplied
   * with. Default null: one rate.
   */
  loraplusLrRatio?: number | null | undefined;
  /** With `loraplusLrRatio`, the learning rate of low-rank additions to embeddings, as PEFT's. Default 1e-6. */
  loraplusLrEmbedding?: number | undefined;
  /** Share of each label that is spread over the vocabulary, as the Hugging Face Trainer's: 0 to 1. Default 0. */
  labelSmoothingFactor?: number | undefined;
  /**
   * Noise on the embeddings in training (NEFTune): uniform within ± this / √(tokens of the row · hidden size); 5 to 15
   * is usual. Default null: none.
   */
  neftuneNoiseAlpha?: number | null | undefined;
  /**
   * AdamW with 8-bit state (`paged_adamw_8bit`, the default, and its synonyms) or float32 state (`adamw` and its
   * synonyms), `sgd`, `adafactor` (with `scale_parameter` and `relative_step` off, as in the Hugging Face Trainer),
   * `lion`, `rmsprop`, `adagrad` or `ademamix`; some of these with 8-bit state too. On a GPU the states of a `paged_`
   * one lie in main memory as far as the GPU has no room for them; on a CPU they are there anyway, so it is the same as
   * without.
   */
  optimizer?:
    | 'adamw'
    | 'adamw_torch'
    | 'adamw_torch_fused'
    | 'paged_adamw'
    | 'paged_adamw_32bit'
    | 'adamw_8bit'
    | 'adamw_bnb_8bit'
    | 'paged_adamw_8bit'
    | 'sgd'
    | 'adafactor'
    | 'rmsprop'
    | 'adagrad'
    | 'lion'
    | 'lion_32bit'
    | 'paged_lion'
    | 'paged_lion_32bit'
    | 'lion_8bit'
    | 'paged_lion_8bit'
    | 'ademamix'
    | 'paged_ademamix'
    | 'paged_ademamix_32bit'
    | 'ademamix_8bit'
    | 'paged_ademamix_8bit'
    | undefined;
  /**
   * Settings of the optimizer under the names of transformers' `optim_args`, as an object or as its text
   * (`momentum=0.9,nesterov=true`). One that the optimizer does not read is an error. Default: none.
   */
  optimArgs?: string | OptimArgs | undefined;
  /** Momentum of `sgd` and `rmsprop`, 0 to less than 1. Default 0. */
  momentum?: number | undefined;
  /** Both Adam decay rates at once, in place of `adamBeta1` and `adamBeta2`. Default null. */
  betas?: [number, number] | null | undefined;
  /** Decay rate of the mean of gradients, in Adam and Lion. Default 0.9. */
  adamBeta1?: number | undefined;
  /** Decay rate of Adam's mean of squared gradients, and Lion's second rate (0.99 in its paper). Default 0.999. */
  adamBeta2?: number | undefined;
  /** Decay rate of the slow mean of gradients in `ademamix`. Default 0.9999. */
  adamBeta3?: number | undefined;
  /** What that slow mean is multiplied with. Default 5. */
  ademamixAlpha?: number | undefined;
  /**
   * Steps over which `adamBeta3` and `ademamixAlpha` are reached; its paper takes the whole run. Default null: at once.
   */
  ademamixWarmupSteps?: number | null | undefined;
  /** Added to the denominator of Adam and AdEMAMix. Default 1e-8. */
  adamEpsilon?: number | undefined;
  /** Norm that all gradients together are clipped to; 0 clips nothing. Default 1. */
  maxGradNorm?: number | undefined;
  /**
   * Learning without forgetting: hold the model to the base model on other text than is trained. `auto` lets the
   * library choose how much, an object sets it, false does not. Default null: false, or `auto` where `maxKlDivergence`
   * asks for a bound.
   */
  retention?: 'auto' | false | RetentionInput | null | undefined;
  /**
   * A loss or gradient that is not finite: `stop` (default) ends the run with LOSS_NOT_FINITE; `skip` drops the
   * gradients of that step, warns, counts it and goes on.
   */
  onNonFinite?: 'stop' | 'skip' | undefined;
  /** Steps between two reports. Default 10. */
  loggingSteps?: number | undefined;
  /** Report the first step on its own, too. Default false. */
  loggingFirstStep?: boolean | undefined;
  /** When to evaluate: never, every `evalSteps` steps or after every epoch. Default `steps`. */
  evalStrategy?: 'no' | 'steps' | 'epoch' | undefined;
  /** Steps between two evaluations; null takes `loggingSteps`. Default 200. */
  evalSteps?: number | null | undefined;
  /** No evaluation before this many steps, or epochs with `evalStrategy` `epoch`. Default 0. */
  evalDelay?: number | undefined;
  /** Evaluate once before the first step. Default false. */
  evalOnStart?: boolean | undefined;
  /**
   * With each evaluation, measure forgetting: the mean KL(base ‖ model) per token, in nats, on 150 texts that the base
   * model wrote. Default null: where the run evaluates, and its weights are not new.
   */
  evalForgetting?: boolean | null | undefined;
  /**
   * Held-out rows that are judged token by token before the run and after it, and a quarter as many texts that are to
   * be kept, into `inspection` of the output folder; fewer in a short run, to take 1 % of its time. 0: none. Default
   * 200.
   */
  inspectRows?: number | undefined;
  /**
   * When to save a checkpoint: never, every `saveSteps` steps, after every epoch, or after each evaluation that is
   * better than all before it (`best`). Default `steps`; with `loadBestModelAtEnd` as `evalStrategy`.
   */
  saveStrategy?: 'no' | 'steps' | 'epoch' | 'best' | undefined;
  /** Steps between two checkpoints. Default 300; with `loadBestModelAtEnd` as `evalSteps`. */
  saveSteps?: number | undefined;
  /**
   * Checkpoints to keep, the oldest are deleted; null keeps all. The best of those whose step was evaluated too is
   * spared. Default 5.
   */
  saveTotalLimit?: number | null | undefined;
  /**
   * Make the final model that of the best checkpoint by `metricForBestModel`, not that of the last step, which is then
   * evaluated too. Needs evaluation rows, an output folder, and saves at steps that are evaluated. With a
   * `saveTotalLimit` of 1 the best checkpoint alone is left at the end. Default false.
   */
  loadBestModelAtEnd?: boolean | undefined;
  /**
   * Which number of an evaluation says how good the model is; `eval_loss` and the like are understood. Default `loss`.
   */
  metricForBestModel?:
    | 'loss'
    | 'perplexity'
    | 'tokenAccuracy'
    | 'inTopKShare'
    | 'outsideTopKShare'
    | 'adaptiveLoss'
    | 'forgetting'
    | undefined;
  /** Whether more of `metricForBestModel` is better. Default null: true for `tokenAccuracy` and `inTopKShare`. */
  greaterIsBetter?: boolean | null | undefined;
  /** End the run after so many evaluations in a row without a better `metricForBestModel`. Default null: never. */
  earlyStoppingPatience?: number | null | undefined;
  /** What counts as better for `earlyStoppingPatience`: only a change by more than this. Default 0. */
  earlyStoppingThreshold?: number | undefined;
  /**
   * Checkpoints hold the model alone, without the optimizer: about a third of the size, and no run goes on from them.
   * Default false.
   */
  saveOnlyModel?: boolean | undefined;
  /**
   * Type of the weights of the final model on disk; `auto` is that of the base model (of an adapter, float32).
   * Checkpoints lose nothing in any case. Default `float32`.
   */
  saveDtype?: 'auto' | 'float32' | 'bfloat16' | 'float16' | undefined;
  /**
   * Go on from a checkpoint: its folder, or true for the newest whole one in the output folder. Default null: do not.
   */
  resumeFromCheckpoint?: boolean | string | null | undefined;
  /**
   * How an output folder that holds another run is treated: false (default) refuses to begin; true deletes its
   * checkpoints and, at the end, replaces its final model. The checkpoint of `resumeFromCheckpoint` is kept.
   */
  overwriteOutputDir?: boolean | undefined;
  /** When a checkpoint cannot be written (a full disk, say): `continue` (default) with a warning, or `stop`. */
  onSaveError?: 'continue' | 'stop' | undefined;
  /** Where to compute: `cpu`, `cuda`, `cuda:1`…, or `auto` (default) for the best there is. */
  device?: string | undefined;
  /** Threads of the engine. Default null: one per core. */
  threads?: number | null | undefined;
  /**
   * Rank of this process on its machine: −1 (default) takes that of the environment, which it must agree with
   * (docs/ranks.md).
   */
  localRank?: number | undefined;
  /** With several ranks: seconds that they wait for each other before a rank counts as hanging. Default 600. */
  ddpTimeout?: number | undefined;
  /**
   * With several ranks, what each holds only a part of (ZeRO): with 1 the optimizer's state and the float32 weights of
   * mixed precision, with 2 the gradients as well, which are then summed after every micro-batch. The run is the same
   * (docs/ranks.md). Default 0: every rank holds all.
   */
  zeroStage?: number | undefined;
}

/** The loss: `adaptiveLossConfig` of the one-call API. Every key is optional and may be written in snake_case. */
export interface AdaptiveLossConfigInput {
  /**
   * A wrong token is "outside" when it is not among the model's `topK` first choices; ideas rows train on those alone.
   * Default 8.
   */
  topK?: number | undefined;
  /** Steps between two reports of the loss' counts since the run began. Default 100. */
  adaptiveLogSteps?: number | undefined;
  /**
   * `adaptive` (default); `ce`, plain cross-entropy; `dft`, each token's cross-entropy times its probability; `eaft`,
   * times the entropy of the model's `topK` first choices (20 in its paper) as a share of the greatest it could be.
   */
  loss?: 'adaptive' | 'ce' | 'dft' | 'eaft' | undefined;
  /** A first choice counts as correct only from this probability on, at the start of the run. Default null: always. */
  initialConfidence?: number | null | undefined;
  /** That probability after `curriculumEpochs`, reached evenly. Default null: it stays `initialConfidence`. */
  finalConfidence?: number | null | undefined;
  /** Epochs over which the probability moves; goes with `finalConfidence`. Default null. */
  curriculumEpochs?: number | null | undefined;
  /**
   * Bound on forgetting: the mean KL(base ‖ model) per token, in nats, that the run is to end below. The weight of
   * `retention` follows from it, and `retention` is `auto` where it is not given. Default null: none.
   */
  maxKlDivergence?: number | null | undefined;
}

/**
 * A LoRA adapter: `peftConfig` of the one-call API, the keys of PEFT's `LoraConfig`. The weights of the model are
 * frozen, and low-rank matrices A and B added to the chosen projections: y = W·x + (alpha / r)·B·A·x.
 */
export interface PeftConfigInput {
  /** Method; only `LORA` is available. Default `LORA`. */
  peftType?: 'LORA' | undefined;
  /** What the model is for; only `CAUSAL_LM`. Default `CAUSAL_LM`. */
  taskType?: 'CAUSAL_LM' | null | undefined;
  /** Rank of the added matrices. Default 8. */
  r?: number | undefined;
  /** The addition is multiplied with loraAlpha / r. Default 8. */
  loraAlpha?: number | undefined;
  /** Short for `loraAlpha`. Default null. */
  alpha?: number | null | undefined;
  /** Share of the inputs of A that is dropped at random in training, 0 to less than 1. Default 0. */
  loraDropout?: number | undefined;
  /** Short for `loraDropout`. Default null. */
  dropout?: number | null | undefined;
  /**
   * Which modules: names or ends of names (`q_proj`), a regular expression of Python that matches a whole name, or
   * `all-linear` for all projections but the head. The head (`lm_head`) and embeddings (`embed_tokens`) may be named.
   * Default null: what PEFT takes for the model type (`q_proj` and `v_proj`, `c_attn` in GPT-2).
   */
  targetModules?: string[] | string | null | undefined;
  /**
   * Weights to add to by the ends of their names (`q_proj.weight`), as PEFT does where a weight is in no module of a
   * known kind. Default null.
   */
  targetParameters?: string[] | null | undefined;
  /** Projections to leave out of `targetModules`, named likewise. Default null. */
  excludeModules?: string[] | string | null | undefined;
  /** Modules trained whole and saved with the adapter: `lm_head`, `embed_tokens`, norms. Default null. */
  modulesToSave?: string[] | null | undefined;
  /**
   * Tokens whose rows of the embedding are trained in place of the whole of it: ids, or ids by the name of a table
   * (`embed_tokens`, `lm_head`). A tied head has the same rows. Default null.
   */
  trainableTokenIndices?: number[] | Record<string, number[]> | null | undefined;
  /**
   * Keeps a tied head tied: where embedding or head is in `modulesToSave` or `targetModules`, both train as one.
   * Default false: they come apart.
   */
  ensureWeightTying?: boolean | undefined;
  /** Divide alpha by √r instead of r. Default false. */
  useRslora?: boolean | undefined;
  /** Train the length of each weight's rows apart from their direction. Default false. */
  useDora?: boolean | undefined;
  /** Which biases of the model are trained: none, all, or those of the modules that are added to. Default `none`. */
  bias?: 'none' | 'all' | 'lora_only' | undefined;
  /**
   * How the matrices begin. true: A uniform as in PEFT, B 0; `gaussian`: A normal. `pissa`: the largest singular values
   * of the weight, which are taken out of it; `pissa_niter_4`: the same by 4 rounds of a randomised method, in less
   * time; `olora`: by a QR decomposition. Default true.
   */
  initLoraWeights?: true | 'gaussian' | 'pissa' | 'olora' | `pissa_niter_${number}` | undefined;
  /** Other ranks for single modules, by the end of their name or a regular expression for it. Default none. */
  rankPattern?: Record<string, number> | undefined;
  /** Other alphas, likewise. Default none. */
  alphaPattern?: Record<string, number> | undefined;
  /** Layers to add to, counted from 0; only with a list of `targetModules`. Default null: all. */
  layersToTransform?: number[] | null | undefined;
  /**
   * What the list of layers is called in names of modules (`layers`, `h`), for `layersToTransform`. Default null: any.
   */
  layersPattern?: string[] | string | null | undefined;
  /** PEFT's mark of weights that are stored [inputs, outputs]; what the model has is known here. Default false. */
  fanInFanOut?: boolean | undefined;
  /** PEFT's mark of an adapter that is not trained further; recorded. Default false. */
  inferenceMode?: boolean | undefined;
}

/**
 * How the finished model is uploaded: `uploadConfig` of the one-call API. Without a `huggingfaceRepo` it has no effect.
 */
export interface UploadConfigInput {
  /** Create the Hub repository as a private one. Default false. */
  isPrivateRepo?: boolean | undefined;
  /** Message of the commit. Default `Upload fine-tuned model with adaptive-select loss`. */
  commitMessage?: string | undefined;
}
