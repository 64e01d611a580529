import { AdaptiveTrainer, CausalLM, Tokenizer, encodeChat } from '../../src/index.js';
import type { EndEvent, LearningStyle, StepEvent, TrainingRow } from '../../src/index.js';
import { perToken, scoreTexts, type HeldOut } from '../../examples/quickstart/measure.js';
import type { Family, TaskScore } from './family.js';
import type { Setting } from './setting.js';

/** What a run of one setting came to. */
export interface Outcome extends TaskScore {
  /** Nats per token by which held-out texts and chats are predicted worse than before. */
  texts: number;
  chats: number;
  /** The library's own measure: mean KL(base ‖ model) on what the base wrote. */
  forgetting: number;
  /** Mean over the steps of what the weights of the loss' tokens add up to. */
  scale: number;
  seconds: number;
  steps: number;
  tokens: number;
}

/** What the model knows before training, which forgetting is measured from. */
export interface Base {
  texts: number;
  chats: number;
}

/** Nats per token of texts and chats that are not trained. */
export async function before(family: Family): Promise<Base & TaskScore> {
  const model = await CausalLM.fromPretrained(family.model);
  const tokenizer = await Tokenizer.fromPretrained(family.model);
  try {
    return {
      ...(await remembered(model, tokenizer, family.heldOut)),
      ...(await family.score(model, tokenizer)),
    };
  } finally {
    model.dispose();
  }
}

async function remembered(model: CausalLM, tokenizer: Tokenizer, heldOut: HeldOut): Promise<Base> {
  return {
    texts: perToken(await scoreTexts(model, tokenizer, heldOut.text)),
    chats: perToken(await scoreTexts(model, tokenizer, heldOut.chats)),
  };
}

/** Trains a family with a setting, and measures what was learned and what forgotten. */
export async function trainOnce(
  family: Family,
  setting: Setting,
  seed: number,
  base: Base,
  threads: number | null = null,
): Promise<Outcome> {
  const model = await CausalLM.fromPretrained(family.model);
  const tokenizer = await Tokenizer.fromPretrained(family.model);
  try {
    if (setting.rank > 0)
      await model.addAdapter(
        { r: setting.rank, loraAlpha: setting.rank, targetModules: 'all-linear' },
        { seed },
      );
    const { end, scale, forgetting } = await train(model, tokenizer, family, setting, { seed, threads });
    const after = await remembered(model, tokenizer, family.heldOut);
    return {
      ...(await family.score(model, tokenizer)),
      texts: after.texts - base.texts,
      chats: after.chats - base.chats,
      forgetting,
      scale,
      seconds: end.seconds,
      steps: end.steps,
      tokens: end.tokens,
    };
  } finally {
    model.dispose();
  }
}

async function train(
  model: CausalLM,
  tokenizer: Tokenizer,
  family: Family,
  setting: Setting,
  run: { seed: number; threads: number | null },
): Promise<{ end: EndEvent; scale: number; forgetting: number }> {
  const trainDataset = rowsOf(family, tokenizer, setting);
  const scales: number[] = [];
  const onStepEnd = (step: StepEvent) => void scales.push(scaleOf(step, trainDataset));
  const trainer = new AdaptiveTrainer({
    ...{
      model,
      tokenizer,
      trainDataset,
      evalDataset: trainDataset.slice(0, 1),
      callbacks: setting.loss === 'adaptive' ? [{ onStepEnd }] : [],
    },
    args: {
      ...{ batchSize: family.batchSize, gradientAccumulationSteps: 1, numEpochs: family.epochs, ...run },
      ...{
        learningRate: setting.learningRate,
        warmupSteps: 30,
        lrSchedulerType: 'cosine',
        optimizer: 'adamw',
      },
      // Of the settings that hold the model, only what is named is to act.
      weightDecay: 0,
      ...{
        fp16: false,
        gradientCheckpointing: false,
        evalStrategy: 'no',
        evalForgetting: true,
        saveStrategy: 'no',
        useWandb: false,
      },
      ...(setting.weight === undefined && setting.pull === 0
        ? {}
        : {
            retention: {
              ...{ weight: setting.weight ?? 0, tokensPerStep: setting.tokensPerStep, every: setting.every },
              pullToBase: setting.pull,
            },
          }),
    },
    adaptiveLoss: {
      ...{ loss: setting.loss, topK: setting.topK },
      ...(setting.bound === undefined ? {} : { maxKlDivergence: setting.bound }),
    },
  });
  const end = await trainer.train();
  const { forgetting = NaN } = await trainer.evaluate();
  return {
    end,
    forgetting,
    scale: scales.length === 0 ? 1 : scales.reduce((sum, one) => sum + one, 0) / scales.length,
  };
}

function rowsOf(family: Family, tokenizer: Tokenizer, { style }: Setting): TrainingRow[] {
  return family.train.map(({ user, assistant, style: own }) => ({
    ...encodeChat(tokenizer, [
      { role: 'user', content: user },
      { role: 'assistant', content: assistant },
    ]),
    learningStyle: style ?? own,
  }));
}

/**
 * What the weights of a step's tokens add up to (docs/adaptive-loss.md), 1 for cross-entropy: a λ of an adaptive loss holds
 * the model that much less than the same λ of cross-entropy.
 */
function scaleOf({ alpha, beta, statistics }: StepEvent, rows: readonly TrainingRow[]): number {
  const { total_tokens: total, training_mask: trained } = statistics;
  const has = (style: LearningStyle) => rows.some(({ learningStyle: of }) => of === style || of === 'both');
  const term = (style: LearningStyle) => 1 / 4 + (has(style) ? 1 : 0);
  const factor = Math.max(1, total) / Math.max(1, total - trained);
  return (2 - beta) * (alpha * term('attention') + (2 - alpha) * term('ideas')) + beta * factor;
}
