import { packageVersion } from '../common/package-version.js';
import { writeTextDurably } from '../common/write-durably.js';
import { reportPage } from '../report/report-page.js';
import type { ReportData, RunReport } from '../report/run-report.js';

/** Writes a page that shows one model, of which there is no run. */
export async function writePageOf(
  kind: 'inspect' | 'eval',
  label: string,
  parts: Partial<RunReport>,
  file: string,
): Promise<void> {
  const made = new Date().toISOString();
  const none = { starts: [], datasets: [], samples: [], logs: [], evaluations: [], saves: [], warnings: [] };
  const run: RunReport = {
    ...{ label, folder: label, state: 'completed', steps: { step: [] }, changed: [], notes: [] },
    ...none,
    ...parts,
  };
  const data: ReportData = { kind, title: label, made, version: packageVersion(), runs: [run] };
  await writeTextDurably(file, await reportPage(data));
}
