import { packageVersion } from '../common/package-version.js';
import { suggest } from '../common/suggest.js';
import { UsageError } from './usage-error.js';

const help = `Usage: adaptive-trainer <command>

Fine-tunes Hugging Face causal language models with an adaptive loss.

Commands:
  train <config.json> [--resume | --overwrite] [--json]
                                 train as the configuration says
  validate <config.json>         check a configuration without training
  preview <config.json> [--rows N] [--all] [--full] [--json]
                                 show the datasets as they will be trained on
  import-config <axolotl.yml>    make a configuration of axolotl, TRL or the Hugging Face Trainer into one of this library
  report <output>... [--out <file>]
                                 write a page of a run, or of several side by side
  upload <folder> <repo>         upload a trained model to the Hugging Face Hub
  generate <model> "<prompt>"    print what a model makes of a text
  chat <model>                   talk with a model
  build                          compile the native addon, where npm has none for a machine
  setup [--force]                fetch libtorch with headers, which building needs

Options:
  -h, --help                     this text, or after a command the help of that command
  -v, --version                  the version of adaptive-trainer

Paths in a configuration are relative to the current directory. DEBUG=adaptive-trainer prints the stack of errors.
Exit status: 0 done, 1 failed, 2 wrong command line, 130 interrupted.`;

// Imported only when asked for, so that `--help` and `validate` load no native code.
const commands: Record<string, () => Promise<(argv: string[]) => Promise<number>>> = {
  train: async () => (await import('./train.js')).runTrain,
  validate: async () => (await import('./validate.js')).runValidate,
  preview: async () => (await import('./preview.js')).runPreview,
  'import-config': async () => (await import('./import-config.js')).runImportConfig,
  report: async () => (await import('./report.js')).runReport,
  upload: async () => (await import('./upload.js')).runUpload,
  generate: async () => (await import('./generate.js')).runGenerate,
  chat: async () => (await import('./chat.js')).runChat,
  build: async () => (await import('./build.js')).runBuild,
  setup: async () => (await import('./setup.js')).runSetup,
};

/**
 * The command line without the program's name. Resolves to the exit status.
 * @throws UsageError, or whatever the command throws
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) throw new UsageError('Expected a command but received none.', help);
  if (name === '--help' || name === '-h' || name === 'help') {
    console.log(help);
    return 0;
  }
  if (name === '--version' || name === '-v') {
    console.log(packageVersion());
    return 0;
  }
  if (!Object.hasOwn(commands, name)) {
    const near = suggest(name, Object.keys(commands));
    const hint = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
    throw new UsageError(`Expected a command but received ${JSON.stringify(name)}.${hint}`, help);
  }
  const run = await commands[name]!();
  return run(rest);
}
