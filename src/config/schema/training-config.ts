import * as z from 'zod';
import { field } from './field.js';
import { lrSchedulerKwargsSchema } from './lr-scheduler-kwargs.js';
import { metricNames } from './metric-names.js';
import { optimArgsSchema } from './optim-args.js';
import { reportToSchema } from './report-to.js';
import { retentionSchema } from './retention.js';

const stepsOrAll = '-1 or a whole number, 1 or more';
const deviceName = '"auto", "cpu", "cuda" or "cuda:<index>"';

/**
 * How to train: `trainingConfig` of the one-call API, `args` of the trainer. Every key is optional and may also be
 * written in snake_case (`max_length_token`). A step is one update of the weights: `gradientAccumulationSteps`
 * micro-batches of `batchSize` rows.
 */
export const trainingConfigSchema = z.object({
  /** Folder for checkpoints, `metrics.jsonl` and `final_model`, where it is not given beside the training configuration. Default null. */
  outputDir: field.text().nullable().default(null),
  /** Name of the run in reports. Default `my_adaptive_run`. */
  runName: field.text().default('my_adaptive_run'),
  /**
   * Where the run is reported beside `metrics.jsonl`: `wandb`, `tensorboard`, trackers of your own (objects with `onEvent`
   * and `close`), or a list of them; `none` for nothing else, `all` for both. Default null: as `useWandb` says.
   */
  reportTo: reportToSchema,
  /** Weights & Biases project; the variable WANDB_PROJECT goes before the default. Default `my-adaptive-experiments`. */
  wandbProject: field.text().default('my-adaptive-experiments'),
  /** Weights & Biases user or team. Default null: WANDB_ENTITY, else the account's own. */
  wandbEntity: field.text().nullable().default(null),
  /**
   * Report to Weights & Biases: `auto` where there is a key (WANDB_API_KEY or .netrc), true also without one, into a folder
   * that `wandb sync` sends later; false never. Default `auto`.
   */
  useWandb: z.union([z.literal('auto'), z.boolean()], { error: '"auto", true or false' }).default('auto'),

  /** Longest row in tokens; longer ones are dropped and counted. Default 4096. */
  maxLengthToken: field.wholeNumber(2).default(4096),
  /** Recorded in the saved tokenizer; nothing is padded here, so it changes no number. Default `left`. */
  paddingSide: field.oneOf('left', 'right').default('left'),

  /** Rows of a training micro-batch. Default 4. */
  batchSize: field.wholeNumber(1).default(4),
  /** Rows of an evaluation batch. Default: `batchSize`. */
  evalBatchSize: field.wholeNumber(1).nullable().default(null),
  /** Micro-batches per step. Default 16. */
  gradientAccumulationSteps: field.wholeNumber(1).default(16),
  /** Most tokens of a training micro-batch, which then takes as many rows as fit, in place of `batchSize`. Default null. */
  maxTokensPerBatch: field.wholeNumber(1).nullable().default(null),
  /** How datasets are mixed: every row once (`concat`), or drawn at random (`interleave`). Default `concat`. */
  mixing: field.oneOf('concat', 'interleave').default('concat'),
  /** For `interleave`: how likely each dataset is to be drawn from, by its name; scaled to sum to 1. Default null: equally. */
  mixingProbabilities: z
    .record(z.string(), field.numberAbove(0), {
      error: 'an object with a number greater than 0 by dataset name',
    })
    .nullable()
    .default(null),
  /** For `interleave`: stop when one dataset is used up, or when all are, the small ones repeated. Default `first_exhausted`. */
  mixingStop: field.oneOf('first_exhausted', 'all_exhausted').default('first_exhausted'),
  /** Chat template in place of the model's own: `llama`, `phi`, `qwen`, `smollm`, `chatml` or Jinja text. Default null. */
  chatTemplate: field.text().nullable().default(null),
  /** Train the header of assistant turns too, as the Python package does, not the answers alone. Default false. */
  trainOnHeader: field.flag().default(false),
  /** Train on the rows in a new random order each epoch, or in the order given. Default true. */
  shuffle: field.flag().default(true),

  /** Highest learning rate, reached after the warm-up. Default 2e-5. */
  learningRate: field.number(0).default(2e-5),
  /** Weight decay, decoupled (per step and unit of learning rate) except with `sgd`, `rmsprop` and `adagrad`, where it joins the gradient. Default 0.01. */
  weightDecay: field.number(0).default(0.01),
  /** Steps over which the learning rate rises from 0; below 1 a share of all steps, rounded up. Default 10. */
  warmupSteps: field.stepsOrShare().default(10),
  /** The same as a share of all steps, in place of `warmupSteps`. Default null. */
  warmupRatio: field.number(0, 1, { below: true }).nullable().default(null),
  /**
   * How the learning rate moves after the warm-up; `wsd` is short for `warmup_stable_decay`. `reduce_lr_on_plateau` has no
   * warm-up and falls when `metricForBestModel` no longer gets better. Default `cosine`.
   */
  lrSchedulerType: field
    .oneOf(
      ...(['cosine', 'linear', 'constant', 'constant_with_warmup', 'cosine_with_min_lr'] as const),
      ...(['cosine_with_restarts', 'polynomial', 'inverse_sqrt', 'wsd', 'warmup_stable_decay'] as const),
      'reduce_lr_on_plateau',
    )
    .default('cosine'),
  /** Settings of the schedule, those of transformers' `lr_scheduler_kwargs`. Default: none. */
  lrSchedulerKwargs: lrSchedulerKwargsSchema.prefault({}),
  /** For `cosine_with_min_lr`, which needs it: the lowest rate as a share of `learningRate`, 0 to 1. Default null. */
  minLrRate: field.number(0, 1).nullable().default(null),

  /** Passes over the training rows; a fraction ends inside one. Default 3. */
  numEpochs: field.numberAbove(0).default(3),
  /** Steps to take whatever `numEpochs` says; −1 (default) leaves it to `numEpochs`. */
  maxSteps: z
    .number({ error: stepsOrAll })
    .refine((steps) => steps === -1 || (Number.isSafeInteger(steps) && steps >= 1), { error: stepsOrAll })
    .default(-1),
  /** Seed of the row order, of dropout and of noise, 0 to 2³² − 1. Default 42. */
  seed: field.wholeNumber(0, 2 ** 32 - 1).default(42),

  /**
   * What weights are kept and computed in, on any machine, in place of `fp16` and `bf16`. `fp32`; `bf16` and `fp16`: float32
   * weights, low-precision compute (float16 with dynamic loss scaling; slow on a CPU); `bf16-true`: weights in bfloat16 too,
   * rounded stochastically (by `seed`) after each step, for the least memory. Default null: what `fp16` and `bf16` say.
   */
  precision: field.oneOf('fp32', 'bf16', 'fp16', 'bf16-true').nullable().default(null),
  /**
   * QLoRA: keep the projections of the frozen base in 4 bits, as bitsandbytes does, and train the adapter of `peftConfig` on
   * them. Embeddings, head and norms stay as they are. A base that was saved in 4 bits needs no such key. Default false.
   */
  loadIn4bit: field.flag().default(false),
  /** The same in 8 bits, with a scale for each row. Default false. */
  loadIn8bit: field.flag().default(false),
  /** What the 4 bits stand for: `nf4` (default) or `fp4`. */
  bnb4bitQuantType: field.oneOf('nf4', 'fp4').default('nf4'),
  /** Keep the scales of 4-bit blocks in 8 bits, too. Default true. */
  bnb4bitUseDoubleQuant: field.flag().default(true),
  /** What to compute in with a base in 4 bits: short for `precision` `fp32` or `bf16`. Default null: what that says. */
  bnb4bitComputeDtype: field.oneOf('float32', 'bfloat16').nullable().default(null),
  /**
   * Modules of the base that are to stay whole in any case: beginnings of their names, as regular expressions, or ends.
   * Default null: none but embeddings, head and norms.
   */
  llmInt8SkipModules: z.array(field.text(), { error: 'a list of module names' }).nullable().default(null),
  /** Attention: `sdpa` (fused) or `eager`; null (default) takes sdpa where it serves, else eager. */
  attnImpl: field.oneOf('sdpa', 'eager').nullable().default(null),
  /** Train a model whose config.json asks for dropout, without it. Default false: it is applied, as in transformers. */
  ignoreDropout: field.flag().default(false),
  /**
   * Begin with new weights, drawn by `seed` as transformers does: the model's folder needs a config.json and a tokenizer, and
   * weights in it are not read. Default false: a folder without weights is an error.
   */
  fromScratch: field.flag().default(false),
  /**
   * Mixed precision where it is faster: on a GPU computed in float16; in bfloat16 on a CPU with instructions for it, in float32
   * on others. Default true, or false where `bf16` is true.
   */
  fp16: field.flag().optional(),
  /** As `fp16`; on a GPU computed in bfloat16. With `fp16` and `bf16` both false it trains in float32. Default false. */
  bf16: field.flag().default(false),
  /**
   * Recompute each block in the backward pass instead of keeping its activations: all (true), none (false), or with `auto` those
   * that do not fit into the memory that is free. The numbers are the same. Default `auto`.
   */
  gradientCheckpointing: z
    .union([z.literal('auto'), z.boolean()], { error: '"auto", true or false' })
    .default('auto'),
  /** Accepted for the Python package's sake: the fused kernels are always on here, with true or false. Default false. */
  useLigerKernel: field.flag().default(false),

  /**
   * Weights that are not trained, by patterns of their names: a weight or a module, with `*`, `?`, `[0-3]` and `{0..11}`
   * (`model.embed_tokens`, `model.layers.[0-3].*`), or a regular expression. They take no memory for gradients and the
   * optimizer. A pattern that fits no weight is an error. Default null: none.
   */
  freeze: field.list(field.text()).nullable().default(null),
  /** The reverse: patterns of the weights that are trained, all others are frozen. Default null. */
  unfrozenParameters: field.list(field.text()).nullable().default(null),
  /**
   * What the learning rate of some weights is multiplied with, by patterns as in `freeze`; the first one that fits a weight
   * counts. What is reported is `learningRate`. Default null: 1 for all.
   */
  learningRateMultipliers: z
    .record(z.string(), field.numberAbove(0), { error: 'an object with a number greater than 0 by pattern' })
    .nullable()
    .default(null),
  /**
   * Lets lower layers learn more slowly: head and final norm learn at the full rate, each block at so many times that of the one
   * above it, the embeddings below them all. Default null: 1.
   */
  layerwiseLrDecay: field.shareAbove0().nullable().default(null),
  /**
   * LoRA+ (Hayou et al. 2024): what the learning rate of an adapter's B, and of every vector beside it, is multiplied with.
   * Default null: one rate.
   */
  loraplusLrRatio: field.numberAbove(0).nullable().default(null),
  /** With `loraplusLrRatio`, the learning rate of low-rank additions to embeddings, as PEFT's. Default 1e-6. */
  loraplusLrEmbedding: field.number(0).default(1e-6),
  /** Share of each label that is spread over the vocabulary, as the Hugging Face Trainer's: 0 to 1. Default 0. */
  labelSmoothingFactor: field.number(0, 1).default(0),
  /**
   * Noise on the embeddings in training (NEFTune): uniform within ± this / √(tokens of the row · hidden size); 5 to 15 is
   * usual. Default null: none.
   */
  neftuneNoiseAlpha: field.number(0).nullable().default(null),

  /**
   * AdamW with 8-bit state (`paged_adamw_8bit`, the default, and its synonyms) or float32 state (`adamw` and its synonyms), `sgd`,
   * `adafactor` (with `scale_parameter` and `relative_step` off, as in the Hugging Face Trainer), `lion`, `rmsprop`, `adagrad` or
   * `ademamix`; some of these with 8-bit state too. On a GPU the states of a `paged_` one lie in main memory as far as the GPU
   * has no room for them; on a CPU they are there anyway, so it is the same as without.
   */
  optimizer: field
    .oneOf(
      ...(['adamw', 'adamw_torch', 'adamw_torch_fused', 'paged_adamw', 'paged_adamw_32bit'] as const),
      ...(['adamw_8bit', 'adamw_bnb_8bit', 'paged_adamw_8bit'] as const),
      ...(['sgd', 'adafactor', 'rmsprop', 'adagrad'] as const),
      ...(['lion', 'lion_32bit', 'paged_lion', 'paged_lion_32bit', 'lion_8bit', 'paged_lion_8bit'] as const),
      ...(['ademamix', 'paged_ademamix', 'paged_ademamix_32bit'] as const),
      ...(['ademamix_8bit', 'paged_ademamix_8bit'] as const),
    )
    .default('paged_adamw_8bit'),
  /**
   * Settings of the optimizer under the names of transformers' `optim_args`, as an object or as its text
   * (`momentum=0.9,nesterov=true`). One that the optimizer does not read is an error. Default: none.
   */
  optimArgs: z
    .union([z.string(), optimArgsSchema], { error: 'an object of settings, or text such as "momentum=0.9"' })
    .prefault({}),
  /** Momentum of `sgd` and `rmsprop`, 0 to less than 1. Default 0. */
  momentum: field.number(0, 1, { below: true }).default(0),
  /** Both Adam decay rates at once, in place of `adamBeta1` and `adamBeta2`. Default null. */
  betas: z
    .tuple([field.number(0, 1, { below: true }), field.number(0, 1, { below: true })], {
      error: 'two numbers from 0 to less than 1',
    })
    .nullable()
    .default(null),
  /** Decay rate of the mean of gradients, in Adam and Lion. Default 0.9. */
  adamBeta1: field.number(0, 1, { below: true }).default(0.9),
  /** Decay rate of Adam's mean of squared gradients, and Lion's second rate (0.99 in its paper). Default 0.999. */
  adamBeta2: field.number(0, 1, { below: true }).default(0.999),
  /** Decay rate of the slow mean of gradients in `ademamix`. Default 0.9999. */
  adamBeta3: field.number(0, 1, { below: true }).default(0.9999),
  /** What that slow mean is multiplied with. Default 5. */
  ademamixAlpha: field.number(0).default(5),
  /** Steps over which `adamBeta3` and `ademamixAlpha` are reached; its paper takes the whole run. Default null: at once. */
  ademamixWarmupSteps: field.wholeNumber(1).nullable().default(null),
  /** Added to the denominator of Adam and AdEMAMix. Default 1e-8. */
  adamEpsilon: field.number(0).default(1e-8),
  /** Norm that all gradients together are clipped to; 0 clips nothing. Default 1. */
  maxGradNorm: field.number(0).default(1),

  /**
   * Learning without forgetting: hold the model to the base model on other text than is trained. `auto` lets the library
   * choose how much, an object sets it, false does not. Default null: false, or `auto` where `maxKlDivergence` asks for a bound.
   */
  retention: z
    .union([z.literal('auto'), z.literal(false), retentionSchema], {
      error: '"auto", false or an object of settings',
    })
    .nullable()
    .default(null),

  /**
   * A loss or gradient that is not finite: `stop` (default) ends the run with LOSS_NOT_FINITE; `skip` drops the gradients of
   * that step, warns, counts it and goes on.
   */
  onNonFinite: field.oneOf('stop', 'skip').default('stop'),

  /** Steps between two reports. Default 10. */
  loggingSteps: field.wholeNumber(1).default(10),
  /** Report the first step on its own, too. Default false. */
  loggingFirstStep: field.flag().default(false),
  /** When to evaluate: never, every `evalSteps` steps or after every epoch. Default `steps`. */
  evalStrategy: field.oneOf('no', 'steps', 'epoch').default('steps'),
  /** Steps between two evaluations; null takes `loggingSteps`. Default 200. */
  evalSteps: field.wholeNumber(1).nullable().default(200),
  /** No evaluation before this many steps, or epochs with `evalStrategy` `epoch`. Default 0. */
  evalDelay: field.number(0).default(0),
  /** Evaluate once before the first step. Default false. */
  evalOnStart: field.flag().default(false),
  /**
   * With each evaluation, measure forgetting: the mean KL(base ‖ model) per token, in nats, on 150 texts that the base model
   * wrote. Default null: where the run evaluates, and its weights are not new.
   */
  evalForgetting: field.flag().nullable().default(null),
  /**
   * Held-out rows that are judged token by token before the run and after it, and a quarter as many texts that are to be kept, into
   * `inspection` of the output folder; fewer in a short run, to take 1 % of its time. 0: none. Default 200.
   */
  inspectRows: field.wholeNumber(0).default(200),
  /**
   * When to save a checkpoint: never, every `saveSteps` steps, after every epoch, or after each evaluation that is better than
   * all before it (`best`). Default `steps`; with `loadBestModelAtEnd` as `evalStrategy`.
   */
  saveStrategy: field.oneOf('no', 'steps', 'epoch', 'best').default('steps'),
  /** Steps between two checkpoints. Default 300; with `loadBestModelAtEnd` as `evalSteps`. */
  saveSteps: field.wholeNumber(1).default(300),
  /**
   * Checkpoints to keep, the oldest are deleted; null keeps all. The best of those whose step was evaluated too is spared.
   * Default 5.
   */
  saveTotalLimit: field.wholeNumber(1).nullable().default(5),
  /**
   * Make the final model that of the best checkpoint by `metricForBestModel`, not that of the last step, which is then evaluated
   * too. Needs evaluation rows, an output folder, and saves at steps that are evaluated. With a `saveTotalLimit` of 1 the best
   * checkpoint alone is left at the end. Default false.
   */
  loadBestModelAtEnd: field.flag().default(false),
  /** Which number of an evaluation says how good the model is; `eval_loss` and the like are understood. Default `loss`. */
  metricForBestModel: field.oneOf(...metricNames).default('loss'),
  /** Whether more of `metricForBestModel` is better. Default null: true for `tokenAccuracy` and `inTopKShare`. */
  greaterIsBetter: field.flag().nullable().default(null),
  /** End the run after so many evaluations in a row without a better `metricForBestModel`. Default null: never. */
  earlyStoppingPatience: field.wholeNumber(1).nullable().default(null),
  /** What counts as better for `earlyStoppingPatience`: only a change by more than this. Default 0. */
  earlyStoppingThreshold: field.number(0).default(0),
  /**
   * Checkpoints hold the model alone, without the optimizer: about a third of the size, and no run goes on from them. Default
   * false.
   */
  saveOnlyModel: field.flag().default(false),
  /**
   * Type of the weights of the final model on disk; `auto` is that of the base model (of an adapter, float32). Checkpoints lose
   * nothing in any case. Default `float32`.
   */
  saveDtype: field.oneOf('auto', 'float32', 'bfloat16', 'float16').default('float32'),
  /** Go on from a checkpoint: its folder, or true for the newest whole one in the output folder. Default null: do not. */
  resumeFromCheckpoint: z
    .union([z.boolean(), field.text()], { error: 'a path, true, false or null' })
    .nullable()
    .default(null),
  /**
   * How an output folder that holds another run is treated: false (default) refuses to begin; true deletes its checkpoints
   * and, at the end, replaces its final model. The checkpoint of `resumeFromCheckpoint` is kept.
   */
  overwriteOutputDir: field.flag().default(false),
  /** When a checkpoint cannot be written (a full disk, say): `continue` (default) with a warning, or `stop`. */
  onSaveError: field.oneOf('continue', 'stop').default('continue'),

  /** Where to compute: `cpu`, `cuda`, `cuda:1`…, or `auto` (default) for the best there is. */
  device: z
    .string({ error: deviceName })
    .regex(/^(auto|cpu|cuda(:\d+)?)$/, { error: deviceName })
    .default('auto'),
  /** Threads of the engine. Default null: one per core. */
  threads: field.wholeNumber(1, 1024).nullable().default(null),
  /** Rank of this process on its machine: −1 (default) takes that of the environment, which it must agree with (docs/ranks.md). */
  localRank: field.wholeNumber(-1, 65_535).default(-1),
  /** With several ranks: seconds that they wait for each other before a rank counts as hanging. Default 600. */
  ddpTimeout: field.numberAbove(0).default(600),
  /**
   * With several ranks, what each holds only a part of (ZeRO): with 1 the optimizer's state and the float32 weights of mixed
   * precision, with 2 the gradients as well, which are then summed after every micro-batch. The run is the same
   * (docs/ranks.md). Default 0: every rank holds all.
   */
  zeroStage: field.wholeNumber(0, 2).default(0),
});
