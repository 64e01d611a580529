import type { Ranks } from './ranks.js';

/**
 * Does at every rank what leaves something on the machine that is used again: first at one of each machine, then, with that
 * at hand, at the others.
 */
export async function inTurns<Result>(ranks: Ranks, work: () => Promise<Result>): Promise<Result> {
  if (ranks.size === 1) return work();
  const isEarly = ranks.isFirstOfMachine;
  const early = await ranks.together(async () => (isEarly ? { result: await work() } : undefined));
  const late = await ranks.together(async () => (isEarly ? undefined : { result: await work() }));
  return (early ?? late)!.result;
}
