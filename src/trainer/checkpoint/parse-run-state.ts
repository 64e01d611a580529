import * as z from 'zod';
import type { RunState } from './run-state.js';

const count = z.int().min(0);
const number = z.number();
/** JSON has no NaN and no infinity: they are null in it. */
const measured = z.number().nullable();

/** What a run counts on when it goes on; members that are not named here are as they were written. */
const schema = z.looseObject({
  runId: z.string(),
  step: count,
  optimizer: z.looseObject({ steps: count, lossScale: number.positive(), goodSteps: count }),
  epochIndex: count,
  windowsDone: count,
  windowsPerPass: count.optional(),
  since: z.looseObject({ step: count, epochIndex: count, rows: count }),
  adaptiveState: z.looseObject({
    alpha: number,
    beta: number,
    step: count,
    alphaMoment1: number,
    alphaMoment2: number,
    betaMoment1: number,
    betaMoment2: number,
  }),
  log: z.looseObject({
    recent: z.array(z.looseObject({ step: count, loss: measured })),
    steps: count,
    lossSum: measured,
    seconds: number,
    tokens: count,
    labelledTokens: count,
    statistics: z.record(z.string(), measured).optional(),
    forgetting: measured.optional(),
  }),
  plateau: z
    .looseObject({
      ...{ rate: number, learningRate: number, best: number.nullable() },
      ...{ badEvaluations: count, cooldownLeft: count },
    })
    .optional(),
  retention: z.looseObject({ cursor: count, weight: number, mean: number, measured: count }).optional(),
  guard: z.looseObject({
    skippedSteps: count,
    skippedInARow: count,
    zeroNormsInARow: count,
    hasWarnedOfZeroNorms: z.boolean(),
  }),
  best: z.looseObject({
    metric: z.string(),
    greaterIsBetter: z.boolean(),
    evaluations: count,
    withoutImprovement: count,
    seen: z.looseObject({ step: count, value: number }).nullable(),
    saved: z
      .looseObject({ step: count, value: number })
      .and(z.object({ elsewhere: z.object({ folder: z.string(), runId: z.string() }).optional() }))
      .nullable(),
  }),
  history: z.array(z.record(z.string(), measured)),
  fingerprint: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

/**
 * The state of a run from its JSON.
 * @throws Error in words, naming each member that is not what it should be
 */
export function parseRunState(text: string): RunState {
  const value: unknown = JSON.parse(text);
  const { success, error } = schema.safeParse(value);
  if (success) return value as RunState;
  throw new Error(
    error.issues.map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`).join('; '),
  );
}
