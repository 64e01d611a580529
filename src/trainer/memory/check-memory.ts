import { AdaptiveTrainerError } from '../../errors.js';
import { format } from '../../common/format.js';
import type { HostMemory, MemoryEstimate, MemoryReport } from '../../events/memory-report.js';
import { fittingBlocks } from './fitting-blocks.js';
import { memoryAdvice } from './memory-advice.js';
import { memoryEstimate } from './memory-estimate.js';
import { memoryParts } from './memory-parts.js';
import { leastMemory, type PlannedRun } from './planned-run.js';

/** The estimate of a run, with as many blocks kept as fit, and on a device what its loss keeps where there is room. */
export function plannedMemory(run: PlannedRun): MemoryReport {
  const { available, held, decoder, args, device } = run;
  const { pagedStates, ...least } = leastMemory(run);
  const room = available + held - besideMicroBatch(run, least);
  // Of a device that nothing is known of, the least is told.
  const isKnown = Number.isFinite(room);
  const ofDevice = {
    statesOnDevice: least.optimizer,
    keepsNumerators: isKnown,
    available: Math.max(0, room),
  };
  const input = device === undefined ? run : { ...run, ...ofDevice };
  const kept = isKnown ? fittingBlocks(input, room) : 0;
  return {
    ...memoryEstimate({ ...input, keptBlocks: kept }),
    available,
    ...(device === undefined
      ? {}
      : {
          ...(device.total === undefined ? {} : { capacity: device.total }),
          host: { ...device.host, pagedStates, total: device.host.base + pagedStates },
        }),
    ...(args.gradientCheckpointing === 'auto' && isKnown
      ? { keptBlocks: { kept, all: decoder.layers.length } }
      : {}),
  };
}

/** What is there beside activations and logits. On a device what the optimizer moves is taken for it, though they take turns. */
function besideMicroBatch({ device }: PlannedRun, least: MemoryEstimate): number {
  const { weights, gradients, optimizer, base, activations, lossChunk, total } = least;
  return device === undefined ? total - activations - lossChunk : weights + gradients + optimizer + base;
}

/**
 * The estimate of a run beside what is free.
 * @throws AdaptiveTrainerError OUT_OF_MEMORY naming three settings, where the rest does not fit into what is free
 */
export function checkMemory(run: PlannedRun): MemoryReport {
  const estimate = plannedMemory(run);
  const { available, device } = run;
  const free = available + run.held;
  if (estimate.total > free) throw tooLarge(run, estimate, free);
  if (device !== undefined && estimate.host?.available !== undefined)
    expectHostMemory(estimate.host, device.host.base);
  return estimate;
}

function tooLarge(run: PlannedRun, estimate: MemoryReport, free: number): AdaptiveTrainerError {
  const { available, device } = run;
  const advice = memoryAdvice(run, free).slice(0, 3);
  const named = advice.map(({ name, total }) => `${name} (${format.bytes(total)})`).join(', ');
  const where = device === undefined ? 'memory' : `the memory of ${device.name}`;
  const others =
    device?.total !== undefined && estimate.total <= device.total
      ? ` It has ${format.bytes(device.total)} in all: what else uses it can be closed.`
      : '';
  return new AdaptiveTrainerError(
    'OUT_OF_MEMORY',
    `Expected a run that fits into ${format.bytes(free)} of ${where}, found one of about ${format.bytes(estimate.total)} (${memoryParts(estimate).join(', ')}).${others} What would help most: ${named}.`,
    { details: { estimate, available, settings: advice.map(({ name }) => name) } },
  );
}

/** @param held what the process has of main memory */
function expectHostMemory({ total, available = Infinity, pagedStates }: HostMemory, held: number): void {
  if (total <= available + held) return;
  throw new AdaptiveTrainerError(
    'OUT_OF_MEMORY',
    `Expected ${format.bytes(pagedStates)} of main memory for states of the optimizer that the GPU has no room for, found ` +
      `${format.bytes(available)} free. What would help most: optimizer: "adafactor", which keeps next to none; ` +
      'peftConfig: { r: 16, targetModules: "all-linear" }, which trains fewer weights.',
    { details: { available, settings: ['optimizer: "adafactor"', 'peftConfig'] } },
  );
}
