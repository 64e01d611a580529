import { format, resolveConfig } from 'prettier';
import { root } from '../comments.js';
import { rules } from './normalise.js';
import type { Recorded } from './record.js';
import { recordings, type Recording } from './recordings.js';

export const folder = 'docs/recordings';

/** docs/recordings/<command>.md. */
export function recordingPage({ command, say }: Recording, recorded: readonly Recorded[]): Promise<string> {
  const parts = recorded.map(({ line, output, status, say: before }, at) => {
    const ended = status === 0 ? [] : [`[exit status ${status}]`];
    const text = [`$ ${line}`, ...(output === '' ? [] : [output]), ...ended].join('\n');
    const fence = '```';
    const told = before ?? (at === 0 ? say : undefined);
    return [...(told === undefined ? [] : [told]), `${fence}text\n${text}\n${fence}`].join('\n\n');
  });
  const options = `Its options: [\`${command}\`](../cli.md#${command}). How this page is made: [recordings](index.md).`;
  return formatted([`# ${command}`, ...parts, options].join('\n\n'));
}

/** docs/recordings/index.md. */
export function indexPage(): Promise<string> {
  const named = rules.map(({ what }) => what);
  return formatted(`# What each command prints

${recordings.map(({ command }) => `[${command}](${command}.md)`).join(' · ')}

Real output of each command, written by \`npm run docs:recordings\`, which runs them one after the other in a folder with the small
model of \`examples/seed-lm\` and a few hundred words of WordNet, the tasks of the quickstart. A test runs them again and compares.

The folder is written as \`/home/you/project\`. A \`#\` stands for what is of one machine or one moment: ${named.join('; ')}. Losses and
shares are those of the run that was recorded; another processor rounds otherwise.
`);
}

async function formatted(text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(root + folder)), parser: 'markdown' });
}

/** The lines of a page, what they printed and the exit status. */
export function readPage(text: string): { line: string; output: string; status: number }[] {
  return [...text.matchAll(/^```text\n\$ (.*)\n([^]*?)^```$/gm)].map(([, line, printed]) => {
    const [ended, status] = /^\[exit status (\d+)\]\n$/m.exec(printed!) ?? [''];
    return { line: line!, output: printed!.replace(ended, '').trimEnd(), status: Number(status ?? 0) };
  });
}
