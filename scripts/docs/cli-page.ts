import { format as inspect } from 'node:util';
import { runCli } from '../../src/cli/run-cli.js';

const intro = `# Every command

\`npx adaptive-trainer <command>\`. This page is what \`--help\` prints.
`;

/** docs/cli.md: the help of each command. */
export async function cliPage(): Promise<string> {
  const general = await printed(['--help']);
  const list = general.slice(general.indexOf('Commands:'), general.indexOf('Options:'));
  const names = [...list.matchAll(/^ {2}([a-z][\w-]*)/gm)].map(([, name]) => name!);
  if (names.length === 0) throw new Error('The help of the command lists no commands');
  const sections = [intro, block(general)];
  // One after the other: each prints to the same place.
  for (const name of names) sections.push(`## ${name}\n`, block(await printed([name, '--help'])));
  return sections.join('\n');
}

function block(text: string): string {
  return `\`\`\`text\n${text.trim()}\n\`\`\`\n`;
}

/** What a command prints on standard output. */
async function printed(argv: string[]): Promise<string> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (...args: unknown[]) => void lines.push(inspect(...args));
  try {
    await runCli(argv);
  } finally {
    console.log = log;
  }
  return lines.join('\n');
}
