import { createProgram } from '../../src/cli/program.js';

const intro = `# Every command

\`npx adaptive-trainer <command>\`. This page is what \`--help\` prints;
[recordings](recordings/index.md) show what each command does.
`;
const width = 110;

/** docs/cli.md: the help of each command. */
export function cliPage(): string {
  const program = createProgram();
  const sections = program.commands.map((one) => `## ${one.name()}\n\n${block(one)}`);
  return [intro, block(program), ...sections].join('\n');

  function block(command: typeof program): string {
    let text = '';
    command.configureHelp({ helpWidth: width });
    command.configureOutput({ writeOut: (more) => (text += more) });
    command.outputHelp();
    return `\`\`\`text\n${text.trim()}\n\`\`\`\n`;
  }
}
