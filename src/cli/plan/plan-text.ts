import { format } from '../../common/format.js';
import { keptBlocksText } from '../../trackers/terminal/kept-blocks-text.js';
import type { ParsedConfig } from '../../config/schema/parsed-config.js';
import type { TrainingPlan } from './training-plan.js';

const width = 11;

/** Name and value, as the commands print them. */
export function fact(name: string, value: string): string {
  return `${name.padEnd(width)}${value.replaceAll('\n', `\n${' '.repeat(width)}`)}`;
}

/** Model, data, steps and memory of a run. */
export function planFacts(config: ParsedConfig, plan: TrainingPlan): string[] {
  const { counts, adapter, quantization, precision, ranks, data, run, memory, held } = plan;
  const trained =
    counts.trainable === counts.all
      ? 'all are trained'
      : `${format.count(counts.trainable)} are trained${adapter === undefined ? '' : ' (adapter)'}`;
  const kept =
    quantization === undefined
      ? ''
      : `, ${format.count(quantization.parameters)} kept in ${quantization.type}`;
  const { batchSize, gradientAccumulationSteps, maxTokensPerBatch } = config.trainingConfig;
  const batch = maxTokensPerBatch === null ? `${batchSize} rows` : `up to ${maxTokensPerBatch} tokens`;
  const datasets = data.report.map(
    ({ name, style, train, eval: evaluated, tokens, trainedTokens }) =>
      `${name} · ${style}: ${format.count(train)} rows to train, ${format.count(evaluated)} to evaluate; ` +
      `${format.count(tokens)} tokens, ${format.count(trainedTokens)} of them trained`,
  );
  const parts = (['weights', 'gradients', 'optimizer', 'activations', 'lossChunk', 'base'] as const).map(
    (part) => `${part === 'lossChunk' ? 'loss chunk' : part} ${format.bytes(memory[part])}`,
  );
  return [
    fact(
      'model',
      `${config.modelName}: ${format.count(counts.all)} weights, ${trained}${kept}, in ${precision}`,
    ),
    fact('data', datasets.join('\n')),
    fact(
      'steps',
      `${format.count(run.totalSteps)}, each of ${gradientAccumulationSteps} × ${ranks > 1 ? `${ranks} ranks × ` : ''}${batch}` +
        (run.stepsPerEpoch === undefined ? '' : `; ${format.count(run.stepsPerEpoch)} an epoch`),
    ),
    fact(
      'memory',
      [
        `about ${format.bytes(memory.total)}${ranks > 1 ? ' a rank' : ''}, ${format.bytes(memory.available + held)} free`,
        `(${parts.join(', ')})`,
        ...(memory.keptBlocks === undefined ? [] : [keptBlocksText(memory.keptBlocks)]),
      ].join('\n'),
    ),
  ];
}
