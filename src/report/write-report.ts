import { basename, resolve } from 'node:path';
import { packageVersion } from '../common/package-version.js';
import { writeTextDurably } from '../common/write-durably.js';
import { readRun } from './read-run.js';
import { reportPage } from './report-page.js';
import type { ReportData, RunReport } from './run-report.js';
import { thinSteps } from './thin-steps.js';

/**
 * Writes one HTML file that shows runs, side by side where there are several; it needs nothing else and no network.
 *
 * @param outputDirs output folders of runs
 * @param file where it goes; a file that is there is replaced
 * @throws AdaptiveTrainerError IO_FAILED where a folder has no `metrics.jsonl`, or the file cannot be written
 */
export async function writeReport(outputDirs: readonly string[], file: string): Promise<void> {
  await writeTextDurably(file, await reportPage(await reportData(outputDirs)));
}

/** What the page of these runs is made of. */
export async function reportData(outputDirs: readonly string[]): Promise<ReportData> {
  const runs: RunReport[] = [];
  for (const outputDir of outputDirs) runs.push(await readRun(outputDir));
  tellApart(runs);
  const points = Math.floor(60_000 / Math.max(1, runs.length));
  for (const run of runs) thinSteps(run, Math.min(20_000, points));
  return {
    kind: 'run',
    title: runs.map(({ label }) => label).join(' · '),
    made: new Date().toISOString(),
    version: packageVersion(),
    runs,
  };
}

/** The name of a run; where runs share it, the folder; where they share that too, a number. */
function tellApart(runs: RunReport[]): void {
  const names = runs.map((run) => run.start?.runName ?? run.label);
  const shown = names.map((name, i) =>
    names.indexOf(name) === names.lastIndexOf(name) ? name : basename(resolve(runs[i]!.folder)),
  );
  const used = new Map<string, number>();
  runs.forEach((run, i) => {
    const label = shown[i]!;
    const times = (used.get(label) ?? 0) + 1;
    used.set(label, times);
    run.label = times === 1 ? label : `${label} (${times})`;
  });
}
