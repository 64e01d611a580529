import type { AdaptiveLossConfig } from '../config/schema/parsed-config.js';
import { format } from '../common/format.js';
import type { InspectedDataset, Suggestion } from '../events/inspect-report.js';

/** What a suggestion is made from. */
export type Facts = Omit<InspectedDataset, 'suggestion' | 'duplicates'>;

const fewRows = 30; // too few to tell
const shortAnswer = 8; // tokens
const leastRepeats = 5; // of an answer, where there are few
const byHeart = 96; // tokens, up to which an answer may be one to know word by word
const nearlyAll = 0.95; // of the tokens or rows
const many = 0.1; // of the rows are noise, or contradicted
const enoughLeft = 0.1; // of the tokens must be outside of topK, for ideas to have something to train

/**
 * What would serve a dataset. Each rule is from docs/learning.md, where its numbers were measured; the first that fits counts.
 * @param facts found with the base model
 */
export function suggestStyle(facts: Facts, config: Pick<AdaptiveLossConfig, 'loss' | 'topK'>): Suggestion {
  const found =
    known(facts) ?? noisy(facts) ?? closed(facts) ?? text(facts) ?? short(facts) ?? free(facts, config.topK);
  const { style, loss, topK } = found;
  const isLoss = loss === 'ce' ? config.loss === 'ce' : config.loss === 'adaptive';
  // Without the adaptive loss neither style nor topK plays a part.
  const isStyle = loss === 'ce' || (style === facts.style && (topK === null || topK === config.topK));
  const reasons = [...found.reasons];
  if (facts.judgedRows < fewRows)
    reasons.push(`Only ${format.count(facts.judgedRows)} rows were judged, which tells little.`);
  const nothingLeft = ideasAlone(facts, config);
  if (nothingLeft !== undefined && !isStyle) reasons.push(nothingLeft);
  return { ...found, reasons, isConfigured: isLoss && isStyle };
}

type Found = Omit<Suggestion, 'isConfigured'>;

function known({ inTop, known: { share }, nll }: Facts): Found | undefined {
  if (topShare(inTop, 1) < nearlyAll && share < nearlyAll) return undefined;
  return {
    ...{ style: 'misc', topK: null, loss: 'adaptive' },
    reasons: [
      `The model knows this already: ${percent(topShare(inTop, 1))} of the tokens are its first choice (${format.loss(nll)} nats per token). ` +
        'There is next to nothing to learn; leave it out, or keep it as misc.',
    ],
  };
}

function noisy({ noise, contradicted }: Facts): Found | undefined {
  if (noise.share < many && contradicted.share < many) return undefined;
  const what =
    contradicted.share >= many
      ? `${percent(contradicted.share)} of the rows have a prompt that stands here with another answer too`
      : `${percent(noise.share)} of the rows are far less likely than the rest`;
  return {
    ...{ style: 'attention', topK: null, loss: 'ce' },
    reasons: [
      `${what}. Look at them first. The adaptive loss is not what serves such data: it pushes what the model finds wrong, wrong labels too. ` +
        "With 4 in 10 labels wrong, loss 'ce' reached 26.5 % where ideas with topK 8 reached 20.7 %.",
    ],
  };
}

function closed({ judgedRows, answers, answerTokens, inTop }: Facts): Found | undefined {
  if (judgedRows < fewRows || answerTokens > shortAnswer || answers * leastRepeats > judgedRows)
    return undefined;
  const near = topShare(inTop, 8) - topShare(inTop, 1);
  return {
    ...{ style: 'ideas', topK: 1, loss: 'ce' },
    reasons: [
      `Few and short answers: ${format.count(answers)} different ones in ${format.count(judgedRows)} rows, ${answerTokens.toFixed(1)} tokens each. ` +
        "The adaptive loss is not what serves such data best: loss 'ce' learned kinds of things as well as any (31 to 36 %), ideas with topK 8 did not (19 %). " +
        'With the adaptive loss take ideas with topK 1.',
      `${percent(near)} of the tokens are among the first 8 choices without being the first: with topK 8 they would be left wrong as they are.`,
    ],
  };
}

function text({ answerTokens, plainRows, judgedRows }: Facts): Found | undefined {
  if (plainRows < nearlyAll * judgedRows) return undefined;
  return {
    ...{ style: 'misc', topK: null, loss: 'ce' },
    reasons: [
      `Plain text, trained from its first token on (${answerTokens.toFixed(0)} tokens a row). Neither style was measured to help there: loss 'ce', ` +
        'or misc beside other datasets. To know it by heart, take attention.',
    ],
  };
}

function short({ answerTokens, answers, judgedRows, inTop }: Facts): Found | undefined {
  if (answerTokens > byHeart) return undefined;
  return {
    ...{ style: 'attention', topK: null, loss: 'adaptive' },
    reasons: [
      `Answers of ${answerTokens.toFixed(0)} tokens, ${format.count(answers)} different ones in ${format.count(judgedRows)} rows, of which the model has ` +
        `${percent(topShare(inTop, 1))} of the tokens right: facts or forms to know word by word. That is what the adaptive loss serves: as attention ` +
        "57.7 % were known by heart where loss 'ce' reached 42 to 46 % at equal forgetting.",
      "If they are examples of something to be understood and not of wording, loss 'ce' serves as well.",
    ],
  };
}

function free({ answerTokens, inTop }: Facts, configured: number): Found {
  const topK = [8, 4, 2, 1].find((k) => k <= configured && 1 - topShare(inTop, k) >= enoughLeft) ?? 1;
  return {
    ...{ style: 'ideas', topK, loss: 'adaptive' },
    reasons: [
      `Free answers of ${answerTokens.toFixed(0)} tokens, where several wordings would be right. With topK ${topK}, ${percent(1 - topShare(inTop, topK))} of the tokens are ` +
        'outside of the first choices and are trained.',
      "For a manner of speaking no difference was found between ideas, attention and loss 'ce'.",
    ],
  };
}

/** Ideas with a topK that leaves nothing to train. */
function ideasAlone(
  { style, inTop }: Facts,
  { loss, topK }: Pick<AdaptiveLossConfig, 'loss' | 'topK'>,
): string | undefined {
  const near = inTop.filter(({ k }) => k <= topK).at(-1);
  if (loss !== 'adaptive' || style !== 'ideas' || near === undefined || 1 - near.share >= enoughLeft)
    return undefined;
  return `As ideas with topK ${topK} hardly anything of it is trained: ${percent(near.share)} of the tokens are among the first ${near.k} choices.`;
}

export function topShare(inTop: Facts['inTop'], k: number): number {
  return inTop.find((one) => one.k === k)?.share ?? 0;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
