import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeReport } from '../report/write-report.js';
import { UsageError } from './usage-error.js';

const help = `Usage: adaptive-trainer report <output>... [--out <file>]

Writes a page that shows a run: its curves, what the model learned and forgot, token by token, its data and its settings. It is
one HTML file that opens without a network. The run may still go on, or have failed. Several runs are shown side by side.

  <output>      the output folder of a run (output_dir of its configuration), which holds metrics.jsonl
  --out <file>  where the page goes (default: report.html in the output folder; with several, in the current directory)`;

/** `adaptive-trainer report <output>...`. Resolves to the exit status. */
export async function runReport(argv: readonly string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...argv],
      options: { out: { type: 'string', short: 'o' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError((error as Error).message, help);
  }
  const { values, positionals: folders } = parsed;
  if (values.help) {
    console.log(help);
    return 0;
  }
  if (folders.length === 0)
    throw new UsageError('Expected the output folder of a run but received nothing.', help);
  const file = values.out ?? (folders.length === 1 ? join(folders[0]!, 'report.html') : 'report.html');
  await writeReport(folders, file);
  console.log(file);
  return 0;
}
