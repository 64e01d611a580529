import type { RunReport, StepTable } from './run-report.js';

/**
 * Leaves at most about `most` steps in the columns of a long run: of each stretch those with the lowest and the highest loss and
 * gradient norm, so that no peak is lost. What stays is as it was told.
 */
export function thinSteps(run: RunReport, most: number): void {
  const { steps } = run;
  const rows = steps.step.length;
  if (rows <= most) return;
  const stretch = Math.ceil((4 * rows) / most);
  const kept = new Set<number>([0, rows - 1]);
  for (let from = 0; from < rows; from += stretch) {
    const to = Math.min(rows, from + stretch);
    for (const column of [steps.loss, steps.gradNorm]) {
      let [low, high] = [from, from];
      for (let i = from; i < to && column !== undefined; i++) {
        if ((column[i] ?? Infinity) < (column[low] ?? Infinity)) low = i;
        if ((column[i] ?? -Infinity) > (column[high] ?? -Infinity)) high = i;
      }
      kept.add(low).add(high);
    }
  }
  const places = [...kept].sort((a, b) => a - b);
  run.steps = Object.fromEntries(
    Object.entries(steps).map(([name, column]) => [name, places.map((i) => column[i])]),
  ) as StepTable;
  run.stepsInAll = rows;
}
