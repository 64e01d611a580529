import * as z from 'zod';
import { field } from './field.js';

const modules = 'a list of module names, a regular expression or "all-linear"';
const moduleList = 'a list of module names';
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
   * Which projections: names or ends of names (`q_proj`), a regular expression that matches a whole name, or `all-linear` for
   * all but the head. Default null: what PEFT takes for the model type (`q_proj` and `v_proj`, `c_attn` in GPT-2).
   */
  targetModules: z
    .union([z.array(field.text(), { error: modules }).min(1, { error: modules }), field.text()], {
      error: modules,
    })
    .nullable()
    .default(null),
  /** Projections to leave out of `targetModules`, named likewise. Default null. */
  excludeModules: z
    .union([z.array(field.text(), { error: modules }), field.text()], { error: modules })
    .nullable()
    .default(null),
  /** Modules trained whole and saved with the adapter: `lm_head`, `embed_tokens`, norms. Default null. */
  modulesToSave: z.array(field.text(), { error: moduleList }).nullable().default(null),
  /** Divide alpha by √r instead of r. Default false. */
  useRslora: field.flag().default(false),
  /** Train the length of each weight's rows apart from their direction. Default false. */
  useDora: field.flag().default(false),
  /** Which biases are trained; only `none` is available. Default `none`. */
  bias: field.oneOf('none').default('none'),
  /** How A is drawn: true, uniform as in PEFT, or `gaussian`. B is 0. Default true. */
  initLoraWeights: z
    .union([z.literal(true), z.literal('gaussian')], { error: 'true or "gaussian"' })
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
  /** PEFT's mark of weights that are stored [inputs, outputs]; what the model has is known here. Default false. */
  fanInFanOut: field.flag().default(false),
  /** PEFT's mark of an adapter that is not trained further; recorded. Default false. */
  inferenceMode: field.flag().default(false),
});
