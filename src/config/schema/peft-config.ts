import * as z from 'zod';
import { field } from './field.js';

const modules = 'a list of module names, a regular expression or "all-linear"';
const moduleList = 'a list of module names';
const tokens = 'a list of different token ids, or such lists by the name of a table';
const inits = 'true, "gaussian", "pissa", "pissa_niter_" with a number of rounds, or "olora"';
const tokenIds = z
  .array(field.wholeNumber(0, 2 ** 31 - 1), { error: tokens })
  .refine((ids) => new Set(ids).size === ids.length, { error: tokens });
const byModule = (value: z.ZodNumber, what: string) =>
  z.record(z.string(), value, { error: `an object with ${what} by module name` });

/**
 * A LoRA adapter: `peftConfig` of the one-call API, the keys of PEFT's `LoraConfig`. The weights of the model are frozen,
 * and low-rank matrices A and B added to the chosen projections: y = W·x + (alpha / r)·B·A·x.
 */
export const peftConfigSchema = z.object({
  /** Method; only `LORA` is available. Default `LORA`. */
  peftType: field.oneOf('LORA').default('LORA'),
  /** What the model is for; only `CAUSAL_LM`. Default `CAUSAL_LM`. */
  taskType: field.oneOf('CAUSAL_LM').nullable().default('CAUSAL_LM'),
  /** Rank of the added matrices. Default 8. */
  r: field.wholeNumber(1, 2 ** 20).default(8),
  /** The addition is multiplied with loraAlpha / r. Default 8. */
  loraAlpha: field.number(0).default(8),
  /** Short for `loraAlpha`. Default null. */
  alpha: field.number(0).nullable().default(null),
  /** Share of the inputs of A that is dropped at random in training, 0 to less than 1. Default 0. */
  loraDropout: field.number(0, 1, { below: true }).default(0),
  /** Short for `loraDropout`. Default null. */
  dropout: field.number(0, 1, { below: true }).nullable().default(null),
  /**
   * Which modules: names or ends of names (`q_proj`), a regular expression of Python that matches a whole name, or
   * `all-linear` for all projections but the head. The head (`lm_head`) and embeddings (`embed_tokens`) may be named. Default
   * null: what PEFT takes for the model type (`q_proj` and `v_proj`, `c_attn` in GPT-2).
   */
  targetModules: z
    .union([z.array(field.text(), { error: modules }), field.text()], { error: modules })
    .nullable()
    .default(null),
  /**
   * Weights to add to by the ends of their names (`q_proj.weight`), as PEFT does where a weight is in no module of a known
   * kind. Default null.
   */
  targetParameters: z.array(field.text(), { error: moduleList }).nullable().default(null),
  /** Projections to leave out of `targetModules`, named likewise. Default null. */
  excludeModules: z
    .union([z.array(field.text(), { error: modules }), field.text()], { error: modules })
    .nullable()
    .default(null),
  /** Modules trained whole and saved with the adapter: `lm_head`, `embed_tokens`, norms. Default null. */
  modulesToSave: z.array(field.text(), { error: moduleList }).nullable().default(null),
  /**
   * Tokens whose rows of the embedding are trained in place of the whole of it: ids, or ids by the name of a table
   * (`embed_tokens`, `lm_head`). A tied head has the same rows. Default null.
   */
  trainableTokenIndices: z
    .union([tokenIds, z.record(z.string(), tokenIds, { error: tokens })], { error: tokens })
    .nullable()
    .default(null),
  /**
   * Keeps a tied head tied: where embedding or head is in `modulesToSave` or `targetModules`, both train as one. Default
   * false: they come apart.
   */
  ensureWeightTying: field.flag().default(false),
  /** Divide alpha by √r instead of r. Default false. */
  useRslora: field.flag().default(false),
  /** Train the length of each weight's rows apart from their direction. Default false. */
  useDora: field.flag().default(false),
  /** Which biases of the model are trained: none, all, or those of the modules that are added to. Default `none`. */
  bias: field.oneOf('none', 'all', 'lora_only').default('none'),
  /**
   * How the matrices begin. true: A uniform as in PEFT, B 0; `gaussian`: A normal. `pissa`: the largest singular values of
   * the weight, which are taken out of it; `pissa_niter_4`: the same by 4 rounds of a randomised method, in less time;
   * `olora`: by a QR decomposition. Default true.
   */
  initLoraWeights: z
    .union(
      [
        z.literal(true, { error: inits }),
        z.enum(['gaussian', 'pissa', 'olora'], { error: inits }),
        z
          .templateLiteral(['pissa_niter_', z.number()], { error: inits })
          .refine((value) => /_\d{1,3}$/.test(value), { error: inits }),
      ],
      { error: inits },
    )
    .default(true),
  /** Other ranks for single modules, by the end of their name or a regular expression for it. Default none. */
  rankPattern: byModule(field.wholeNumber(1, 2 ** 20), 'a whole number, 1 or more,').default({}),
  /** Other alphas, likewise. Default none. */
  alphaPattern: byModule(field.number(0), 'a number, 0 or more,').default({}),
  /** Layers to add to, counted from 0; only with a list of `targetModules`. Default null: all. */
  layersToTransform: z
    .array(field.wholeNumber(0), { error: 'a list of whole numbers, 0 or more' })
    .nullable()
    .default(null),
  /** What the list of layers is called in names of modules (`layers`, `h`), for `layersToTransform`. Default null: any. */
  layersPattern: z
    .union([z.array(field.text(), { error: moduleList }), field.text()], { error: moduleList })
    .nullable()
    .default(null),
  /** PEFT's mark of weights that are stored [inputs, outputs]; what the model has is known here. Default false. */
  fanInFanOut: field.flag().default(false),
  /** PEFT's mark of an adapter that is not trained further; recorded. Default false. */
  inferenceMode: field.flag().default(false),
});
