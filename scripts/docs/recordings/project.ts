import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, realpath, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { wordNetTasks, type Example } from '../../../examples/quickstart/wordnet.js';
import { cacheDir } from '../../../src/common/cache-dir.js';
import { root } from '../comments.js';

/** The folder that the recorded commands run in, with a model, data and configurations. */
export interface Project {
  dir: string;
  /** Stands in for the home of whoever reads: no file of the real one plays a part. */
  home: string;
}

const rows = { categories: 400, definitions: 120, heldOutCategories: 60, heldOutDefinitions: 20 };

const config = {
  model_name: 'base',
  output_dir: 'out',
  datasets_config: { ideas: ['data/kinds'], attention: ['data/meanings'] },
  training_config: {
    ...{ num_epochs: 2, batch_size: 16, gradient_accumulation_steps: 1, learning_rate: 5e-4 },
    ...{ warmup_steps: 4, lr_scheduler_type: 'cosine', optimizer: 'adamw', gradient_checkpointing: false },
    precision: 'fp32',
    ...{ eval_strategy: 'epoch', logging_steps: 16, save_strategy: 'no', max_length_token: 256 },
  },
  adaptive_loss_config: { top_k: 1 },
};

const axolotl = {
  ...{ base_model: 'base', adapter: 'lora', lora_r: 16, lora_alpha: 32, lora_target_linear: true },
  datasets: [{ path: 'data/kinds', type: 'chat_template' }],
  ...{ sequence_len: 512, sample_packing: true, micro_batch_size: 4, gradient_accumulation_steps: 4 },
  ...{ num_epochs: 1, learning_rate: 0.0002, lr_scheduler: 'cosine', optimizer: 'adamw_torch_fused' },
  ...{ bf16: 'auto', flash_attention: true, output_dir: 'axolotl-out' },
};

/** Makes the folder: the model of examples/seed-lm, and words of WordNet as in the quickstart, but fewer. */
export async function makeProject(): Promise<Project> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'adaptive-trainer-recordings-')));
  const dir = join(home, 'project');
  const tasks = await wordNetTasks({ ...rows, showcase: ['snowstorm'], seed: 1 });
  await mkdir(join(home, 'bin'), { recursive: true });
  await writeDataset(join(dir, 'data', 'kinds'), tasks.categories);
  await writeDataset(join(dir, 'data', 'meanings'), tasks.definitions);
  await cp(join(root, 'examples', 'seed-lm'), join(dir, 'base'), { recursive: true });
  await writeFile(join(dir, 'config.yml'), stringify(config));
  await writeFile(join(dir, 'axolotl.yml'), stringify(axolotl));
  await linkLibtorch(home);
  const command = join(home, 'bin', 'adaptive-trainer');
  await writeFile(command, `#!/bin/sh\nexec ${process.execPath} ${join(root, 'dist/cli/main.js')} "$@"\n`);
  await chmod(command, 0o755);
  return { dir, home };
}

/** What is fetched once per machine is there for the new home, too. */
async function linkLibtorch(home: string): Promise<void> {
  const [there, here] = [cacheDir(), cacheDir({ XDG_CACHE_HOME: join(home, '.cache') })];
  if (!existsSync(join(there, 'libtorch')) || existsSync(join(here, 'libtorch'))) return;
  await mkdir(here, { recursive: true });
  await symlink(join(there, 'libtorch'), join(here, 'libtorch'));
}

async function writeDataset(folder: string, { train, heldOut }: { train: Example[]; heldOut: Example[] }) {
  await mkdir(folder, { recursive: true });
  const lines = (examples: Example[]) =>
    examples.map(({ user, assistant }) => `${JSON.stringify({ user, assistant })}\n`).join('');
  await writeFile(join(folder, 'train.jsonl'), lines(train));
  await writeFile(join(folder, 'validation.jsonl'), lines(heldOut));
}
