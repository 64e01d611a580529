import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { MemoryInput } from './memory-estimate.js';
import { leastMemory, type PlannedRun } from './planned-run.js';

/** Settings that would need less, with what the run would need with each. Those that are enough alone come first, then those that save most. */
export function memoryAdvice(run: PlannedRun, free: number): { name: string; total: number }[] {
  const advice = changes(run).map(([name, changed]) => ({
    name,
    total: leastMemory({ ...run, ...changed }).total,
  }));
  return advice.sort((a, b) => Number(b.total <= free) - Number(a.total <= free) || a.total - b.total);
}

const longRow = 256; // tokens

type Change = Partial<MemoryInput & { args: TrainingConfig }>;

/** Settings that need less, as the user would write them, with what they change in the estimate. */
function changes(run: PlannedRun): [string, Change][] {
  const { args, precision, tokens, labelledTokens } = run;
  const list: [string, Change][] = [];
  const withArgs = (changed: Partial<TrainingConfig>) => ({ args: { ...args, ...changed } });
  if (!args.gradientCheckpointing)
    list.push(['gradientCheckpointing: true', withArgs({ gradientCheckpointing: true })]);
  const half = { tokens: Math.ceil(tokens / 2), labelledTokens: Math.ceil(labelledTokens / 2) };
  if (args.maxTokensPerBatch !== null) {
    list.push([`maxTokensPerBatch: ${half.tokens}`, half]);
  } else if (args.batchSize > 1) {
    const share = 1 / args.batchSize;
    const fewer = {
      tokens: Math.ceil(tokens * share),
      labelledTokens: Math.ceil(labelledTokens * share),
      rows: 1,
    };
    list.push([
      `batchSize: 1 with gradientAccumulationSteps: ${args.batchSize * args.gradientAccumulationSteps}`,
      fewer,
    ]);
  }
  if (precision !== 'bf16-true') list.push(['precision: "bf16-true"', { precision: 'bf16-true' }]);
  if (run.shards !== undefined && args.zeroStage < 2) list.push(['zeroStage: 2', withArgs({ zeroStage: 2 })]);
  if (run.device !== undefined && args.optimizer !== 'paged_adamw_8bit') {
    list.push(['optimizer: "paged_adamw_8bit"', withArgs({ optimizer: 'paged_adamw_8bit' })]);
  } else if (!args.optimizer.endsWith('8bit')) {
    list.push(['optimizer: "adamw_8bit"', withArgs({ optimizer: 'adamw_8bit' })]);
  }
  list.push(['optimizer: "adafactor"', withArgs({ optimizer: 'adafactor' })]);
  const longest = args.maxTokensPerBatch === null ? tokens / args.batchSize : tokens;
  // Of short rows it would leave out most.
  if (longest >= longRow) list.push([`maxLengthToken: ${Math.ceil(longest / 2)}`, half]);
  return list;
}
