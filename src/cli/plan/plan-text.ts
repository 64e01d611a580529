import { format } from '../../common/format.js';
import { keptBlocksText } from '../../trackers/terminal/kept-blocks-text.js';
import type { ParsedConfig } from '../../config/schema/parsed-config.js';
import type { HostMemory } from '../../events/memory-report.js';
import { memoryParts } from '../../trainer/memory/memory-parts.js';
import type { TrainingPlan } from './training-plan.js';

const width = 11;

/** Name and value, as the commands print them. */
export function fact(name: string, value: string): string {
  return `${name.padEnd(width)}${value.replaceAll('\n', `\n${' '.repeat(width)}`)}`;
}

/** What `--json` tells of a plan. */
export function planReport({ counts, precision, device, ranks, run, memory }: TrainingPlan): object {
  return { counts, precision, device: device.name, ranks, steps: run.totalSteps, memory };
}

/** Model, data, steps and memory of a run. */
export function planFacts(config: ParsedConfig, plan: TrainingPlan): string[] {
  const { counts, adapter, quantization, precision, ranks, data, run, memory, device } = plan;
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
        `${Number.isFinite(memory.available) ? 'about' : 'at least'} ${format.bytes(memory.total)}${device.name === 'cpu' ? '' : ` on ${device.name}`}${ranks > 1 ? ' a rank' : ''}${freeText(plan)}`,
        `(${memoryParts(memory).join(', ')})`,
        ...(memory.host === undefined ? [] : [hostText(memory.host)]),
        ...(memory.keptBlocks === undefined ? [] : [keptBlocksText(memory.keptBlocks)]),
      ].join('\n'),
    ),
  ];
}

function freeText({ memory: { available }, memoryInput: { held }, device }: TrainingPlan): string {
  if (!Number.isFinite(available)) return '';
  return `, ${format.bytes(available + held)} ${device.isHere ? 'free' : 'there'}`;
}

function hostText({ total, pagedStates, available }: HostMemory): string {
  const paged = pagedStates > 0 ? `, ${format.bytes(pagedStates)} of it states of the optimizer` : '';
  const free =
    available === undefined ? '' : `, ${format.bytes(available)} free beside what the process holds`;
  return `and about ${format.bytes(total)} of main memory${paged}${free}`;
}
