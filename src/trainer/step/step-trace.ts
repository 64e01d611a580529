import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { AdaptiveTrainerError } from '../../errors.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { Ranks } from '../../ranks/ranks.js';
import { traceEvents, type RankSpans } from './trace-events.js';

/** How many steps of a run are traced. */
const tracedSteps = 4;

/** Traces the first steps of a run at all ranks, where ADAPTIVE_TRAINER_TRACE names a file at rank 0, and writes them there. */
export class StepTrace {
  private steps = 0;

  private constructor(
    private readonly model: CausalLM,
    private readonly ranks: Ranks,
    private readonly path: string | undefined,
  ) {}

  /** @returns undefined where none is asked for */
  static async begin(
    model: CausalLM,
    ranks: Ranks,
    env: NodeJS.ProcessEnv = process.env,
  ): Promise<StepTrace | undefined> {
    const path = ranks.isFirst ? env['ADAPTIVE_TRAINER_TRACE'] || undefined : undefined;
    const [asked] = await ranks.sum([path === undefined ? 0 : 1]);
    if (asked === 0) return undefined;
    await model.call((native) => native.beginTrace());
    return new StepTrace(model, ranks, path);
  }

  /** @returns undefined once enough was traced, and it is written */
  async afterStep(): Promise<StepTrace | undefined> {
    this.steps++;
    if (this.steps < tracedSteps) return this;
    await this.write();
    return undefined;
  }

  /** @throws AdaptiveTrainerError INVALID_INPUT for a file that cannot be written */
  async write(): Promise<void> {
    const { model, ranks, path } = this;
    const own: RankSpans = {
      ...{ rank: ranks.rank, host: hostname(), pid: process.pid },
      spans: await model.call((native) => native.takeTrace()),
    };
    const all = (await ranks.toFirst(JSON.stringify(own))).map((text) => JSON.parse(text) as RankSpans);
    await ranks.together(async () => {
      if (path === undefined) return;
      try {
        await writeFile(path, `${JSON.stringify(traceEvents(all))}\n`);
      } catch (cause) {
        throw new AdaptiveTrainerError(
          'INVALID_INPUT',
          `Expected ADAPTIVE_TRAINER_TRACE to name a file that can be written, found ${path}: ${(cause as Error).message}.`,
          { cause },
        );
      }
    });
  }
}
