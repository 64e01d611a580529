import { join } from 'node:path';
import type { Command } from 'commander';
import { command } from '../command.js';

export function reportCommand(): Command {
  return command(
    'report',
    'write a page of a run, or of several side by side',
    'It shows the curves, what the model learned and forgot, token by token, the data and the settings. It is one HTML file ' +
      'that opens without a network. The run may still go on, or have failed.',
  )
    .argument(
      '<output...>',
      'output folders of runs (output_dir of a configuration), which hold metrics.jsonl',
    )
    .option(
      '-o, --out <file>',
      'where the page goes (default: report.html in the output folder; with several, in the current directory)',
    )
    .action(report);
}

async function report(folders: string[], { out }: { out?: string }): Promise<void> {
  const { writeReport } = await import('../../report/write-report.js');
  const file = out ?? (folders.length === 1 ? join(folders[0]!, 'report.html') : 'report.html');
  await writeReport(folders, file);
  console.log(file);
}
