import type { Command, Option } from 'commander';

export type Shell = 'bash' | 'zsh' | 'fish';

interface Completed {
  name: string;
  summary: string;
  options: readonly Option[];
  /** Words for its first argument; where it has none of these, files are offered. */
  words: readonly string[];
}

/** A script for a shell that completes every command and option of a program, made of the program itself. */
export function completionScript(program: Command, shell: Shell): string {
  const commands = program.createHelp().visibleCommands(program).map(completed);
  const names = commands.map(({ name }) => name).filter((name) => name !== 'help');
  const withHelp = commands.map((one) => (one.name === 'help' ? { ...one, words: names } : one));
  return scripts[shell](program.name(), withHelp, options(program));
}

function completed(command: Command): Completed {
  const [first] = command.registeredArguments;
  return {
    ...{ name: command.name(), summary: command.summary() || command.description() },
    ...{ options: options(command), words: first?.argChoices ?? [] },
  };
}

function options(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

/** Of `--out <file>` the value is one: files are offered. */
const takesFile = (option: Option) => /[<[](file|folder|model)[>\]]/.test(option.flags);
const takesValue = (option: Option) => option.required || option.optional;
const flags = ({ short, long }: Option) => [short, long].filter((flag) => flag !== undefined);

const scripts: Readonly<
  Record<Shell, (program: string, commands: readonly Completed[], own: readonly Option[]) => string>
> = { bash, zsh, fish };

function bash(program: string, commands: readonly Completed[], own: readonly Option[]): string {
  const words = [...commands.map(({ name }) => name), ...own.flatMap(flags)].join(' ');
  const cases = commands.map(({ name, options: all, words: first }) => {
    const values = all
      .filter((option) => takesValue(option) && !takesFile(option))
      .map((option) => {
        const choices = option.argChoices ?? [];
        const reply =
          choices.length > 0
            ? `COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$current"))`
            : 'COMPREPLY=()';
        return `        ${flags(option).join('|')}) ${reply}; return ;;\n`;
      });
    const previous = values.length === 0 ? '' : `      case $previous in\n${values.join('')}      esac\n`;
    const rest = first.length === 0 ? '' : `      words='${first.join(' ')}'\n`;
    return `    ${name})\n${previous}      options='${all.flatMap(flags).join(' ')}'\n${rest}      ;;\n`;
  });
  return `# bash completion of ${program}
_${identifier(program)}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} options='' words=''
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${words}' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('')}  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    compopt -o filenames 2>/dev/null
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -F _${identifier(program)} ${program}
`;
}

function zsh(program: string, commands: readonly Completed[], own: readonly Option[]): string {
  const listed = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}\n`);
  const cases = commands.map(({ name, options: all, words }) => {
    const rest = words.length === 0 ? '*:file:_files' : `1:argument:(${words.join(' ')})`;
    const specs = [...all.flatMap(zshOption), rest].map((spec) => ` \\\n        ${quoted(spec)}`);
    return `    ${name})\n      _arguments${specs.join('')}\n      ;;\n`;
  });
  const flagsOfOwn = own.flatMap(zshOption).map((spec) => ` \\\n      ${quoted(spec)}`);
  const name = `_${identifier(program)}`;
  return `#compdef ${program}
# zsh completion of ${program}
${name}() {
  local -a commands=(
${listed.join('')}  )
  if ((CURRENT == 2)); then
    _describe command commands
    [[ $PREFIX == -* ]] && _arguments${flagsOfOwn.join('')}
    return
  fi
  local command=\${words[2]}
  words=("\${words[@]:1}")
  ((CURRENT--))
  case $command in
${cases.join('')}  esac
}
# Read by compinit it is the function itself; sourced it registers one.
if [[ $funcstack[1] == ${name} ]]; then ${name} "$@"; else compdef ${name} ${program}; fi
`;
}

function zshOption(option: Option): string[] {
  const description = firstSentence(option.description).replace(/[[\]:]/g, (sign) => `\\${sign}`);
  const { argChoices = [] } = option;
  const action = takesFile(option) ? '_files' : argChoices.length > 0 ? `(${argChoices.join(' ')})` : '';
  const value = takesValue(option) ? `:value:${action}` : '';
  return flags(option).map((flag) => `${flag}[${description}]${value}`);
}

function fish(program: string, commands: readonly Completed[], own: readonly Option[]): string {
  const lines = commands.flatMap(({ name, summary, options: all, words }) => {
    const inside = `-n '__fish_seen_subcommand_from ${name}'`;
    const wordsLine = `complete -c ${program} ${inside} -f -a ${quoted(words.join(' '))}`;
    return [
      `complete -c ${program} -n __fish_use_subcommand -f -a ${name} -d ${quoted(firstSentence(summary))}`,
      ...all.map((option) => `complete -c ${program} ${inside} ${fishOption(option)}`),
      ...(words.length > 0 ? [wordsLine] : []),
    ];
  });
  const owned = own.map((option) => `complete -c ${program} -n __fish_use_subcommand ${fishOption(option)}`);
  return `# fish completion of ${program}\n${[...owned, ...lines].join('\n')}\n`;
}

function fishOption(option: Option): string {
  const { short, long, argChoices = [] } = option;
  const choices = argChoices.length > 0 ? ` -f -a ${quoted(argChoices.join(' '))}` : '';
  return [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
    ...(takesValue(option) ? [takesFile(option) ? '-r -F' : `-x${choices.replace(' -f', '')}`] : []),
    `-d ${quoted(firstSentence(option.description))}`,
  ].join(' ');
}

function firstSentence(text: string): string {
  return text.split(/[.;:] |\n/)[0]!;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function identifier(name: string): string {
  return name.replace(/\W/g, '_');
}
