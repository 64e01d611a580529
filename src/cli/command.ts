import { Command, InvalidArgumentError, type CommanderError } from 'commander';
import { readSetting, type Setting } from '../config/read/apply-settings.js';
import { UsageError } from './usage-error.js';

const widthOfLogs = 100;
const configArgument = 'config.json';

/** A command whose errors are `UsageError`s and whose help goes to standard output. */
export function command(name: string, summary: string, description: string): Command {
  const made = new Command(name).summary(summary).description(`${capital(summary)}. ${description}`.trim());
  return withHouseStyle(made);
}

/** What every command that reads a configuration takes. */
export interface ConfigOptions {
  set?: readonly Setting[];
}

/** A command that reads a configuration; `readConfig` reads it. */
export function configCommand(name: string, summary: string, description: string): Command {
  return withConfig(command(name, summary, description));
}

/** Adds the argument and the options of a configuration. */
export function withConfig(made: Command): Command {
  return made
    .argument(
      `<${configArgument}>`,
      'the configuration: JSON, YAML (.yml), or JavaScript or TypeScript that exports it, or a function that gives it. Paths in ' +
        'it are relative to the current directory',
    )
    .option(
      '--set <key=value>',
      'a value in place of that of the configuration, as JSON or as a plain string: --set training_config.batch_size=2. ' +
        'May be given several times',
      (text: string, others: readonly Setting[] = []) => [...others, settingOf(text)],
    );
}

function settingOf(text: string): Setting {
  const setting = readSetting(text);
  if (setting !== undefined) return setting;
  throw new InvalidArgumentError(
    `Expected --set training_config.batch_size=2, a path and a value, but received ${JSON.stringify(text)}.`,
  );
}

/** Errors are thrown, not printed; help is as wide as the terminal, and the same everywhere else. */
export function withHouseStyle(made: Command): Command {
  return made
    .helpOption('-h, --help', 'this text')
    .configureHelp({ minWidthToWrap: 20 })
    .configureOutput({
      writeOut: (text) => console.log(text.trimEnd()),
      outputError: () => {},
      getOutHelpWidth: () => (process.stdout.isTTY === true ? process.stdout.columns : widthOfLogs),
    })
    .exitOverride((error) => {
      throw error.exitCode === 0 ? error : new UsageError(faultOf(error, made), made.helpInformation());
    });
}

/** What is wrong with a command line, in a sentence. */
function faultOf({ code, message }: CommanderError, { args, registeredArguments }: Command): string {
  const said = message.replace(/^error: /, '').replace(/\n\((Did you mean .*)\)$/s, '. $1');
  switch (code) {
    case 'commander.missingArgument':
    case 'commander.excessArguments': {
      const names = registeredArguments.map((argument) => argument.name());
      const isConfig = names.length === 1 && names[0] === configArgument;
      const expected = isConfig ? 'one configuration file' : names.map((name) => `<${name}>`).join(' ');
      const received = args.length > 0 ? args.join(' ') : isConfig ? 'none' : 'nothing';
      return `Expected ${expected || 'no argument'} but received ${received}.`;
    }
    case 'commander.unknownCommand': {
      const hint = /Did you mean (?:one of )?(.*)\?$/.exec(said)?.[1]?.split(', ')[0];
      return `Expected a command but received ${JSON.stringify(args[0])}.${hint === undefined ? '' : ` Did you mean ${JSON.stringify(hint)}?`}`;
    }
    case 'commander.invalidArgument':
      return said.replace(/^.*? is invalid\. /s, '');
    default:
      return capital(said);
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
