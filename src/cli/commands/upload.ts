import type { Command } from 'commander';
import { command } from '../command.js';

export function uploadCommand(): Command {
  return command(
    'upload',
    'upload a trained model to the Hugging Face Hub',
    'In one commit; prints the page of the model. Makes the repository if there is none. Needs a token that may write, in ' +
      'HF_TOKEN or from "hf auth login".',
  )
    .argument('<folder>', 'such as out/final_model')
    .argument('<repo>', 'owner/name')
    .option('--private', 'if the repository is made, make it a private one')
    .option('-m, --message <text>', 'message of the commit (default: Upload model)')
    .action(upload);
}

async function upload(
  folder: string,
  repo: string,
  { private: isPrivate = false, message }: { private?: boolean; message?: string },
): Promise<void> {
  const [{ uploadModel }, { hubPrinter }] = await Promise.all([
    import('../../hub/models/upload-model.js'),
    import('../../trackers/terminal/hub-printer.js'),
  ]);
  const print = hubPrinter();
  const { url } = await uploadModel({
    ...{ folder, repo, isPrivate },
    ...(message === undefined ? {} : { commitMessage: message }),
    onProgress: (event) => {
      if (event.event !== 'fileProgress' || event.state === 'error') return;
      print({ type: 'upload', repo, path: event.path, state: event.state, progress: event.progress });
    },
  });
  console.log(url);
}
