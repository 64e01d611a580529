import { parseArgs } from 'node:util';
import { uploadModel, type UploadModelOptions } from '../hub/models/upload-model.js';
import { hubPrinter } from '../trackers/terminal/hub-printer.js';
import { UsageError } from './usage-error.js';

const help = `Usage: adaptive-trainer upload <folder> <repo> [--private] [--message <text>]

Uploads the folder of a model to the Hugging Face Hub, in one commit, and prints the page of the model. Makes the
repository if there is none. Needs a token that may write, in HF_TOKEN or from "hf auth login".

  <folder>           such as out/final_model
  <repo>             owner/name
  --private          if the repository is made, make it a private one
  --message <text>   message of the commit (default: Upload model)`;

/** `adaptive-trainer upload <folder> <repo>`. Resolves to the exit status. */
export async function runUpload(argv: readonly string[]): Promise<number> {
  const options = parse(argv);
  if (options === undefined) {
    console.log(help);
    return 0;
  }
  const print = hubPrinter();
  const { url } = await uploadModel({
    ...options,
    onProgress: (event) => {
      if (event.event !== 'fileProgress' || event.state === 'error') return;
      print({
        type: 'upload',
        repo: options.repo,
        path: event.path,
        state: event.state,
        progress: event.progress,
      });
    },
  });
  console.log(url);
  return 0;
}

function parse(argv: readonly string[]): UploadModelOptions | undefined {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...argv],
      options: {
        private: { type: 'boolean' },
        message: { type: 'string', short: 'm' },
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError((error as Error).message, help);
  }
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  const [folder, repo, ...more] = positionals;
  if (folder === undefined || repo === undefined || more.length > 0) {
    const received = positionals.length === 0 ? 'nothing' : positionals.join(' ');
    throw new UsageError(`Expected a folder and a repository but received ${received}.`, help);
  }
  const { message, private: isPrivate = false } = values;
  return { folder, repo, isPrivate, ...(message === undefined ? {} : { commitMessage: message }) };
}
