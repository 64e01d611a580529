// npm run bench:estimate: what `estimate` says of two models beside what their runs take. On an idle machine.
import { spawnSync } from 'node:child_process';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeProject } from '../../scripts/docs/recordings/project.js';
import type { TrainingEvent } from '../../src/events/training-event.js';

interface Case {
  name: string;
  model: string;
  settings: Record<string, unknown>;
}

/** A Llama of 85 million weights in its blocks, with the tokenizer of the small one. */
const large = {
  ...{ model_type: 'llama', architectures: ['LlamaForCausalLM'], hidden_size: 768, intermediate_size: 2048 },
  ...{ num_hidden_layers: 12, num_attention_heads: 12, num_key_value_heads: 12, vocab_size: 4096 },
  ...{ max_position_embeddings: 512, rms_norm_eps: 1e-5, tie_word_embeddings: true },
};
const short = {
  'training_config.max_steps': 10,
  'training_config.eval_strategy': 'steps',
  'training_config.eval_steps': 10,
};
const cases: Case[] = [
  { name: '4 M, fp32', model: 'base', settings: {} },
  {
    name: '4 M, LoRA r 16, fp32',
    model: 'base',
    settings: { peft_config: { r: 16, target_modules: 'all-linear' } },
  },
  {
    name: '88 M, bf16',
    model: 'large',
    settings: { ...short, 'training_config.precision': 'bf16', 'training_config.from_scratch': true },
  },
  {
    name: '88 M, fp32',
    model: 'large',
    settings: {
      ...short,
      'training_config.max_steps': 6,
      'training_config.eval_steps': 6,
      'training_config.from_scratch': true,
    },
  },
];

const project = await makeProject();
try {
  await mkdir(join(project.dir, 'large'));
  for (const file of [
    'tokenizer.json',
    'tokenizer_config.json',
    'chat_template.jinja',
    'generation_config.json',
  ])
    await cp(join(project.dir, 'base', file), join(project.dir, 'large', file));
  await writeFile(join(project.dir, 'large', 'config.json'), JSON.stringify(large));
  const only = process.argv.slice(2);
  for (const one of cases.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part))))
    console.log(compare(one));
} finally {
  await rm(project.home, { recursive: true, force: true });
}

function compare({ name, model, settings }: Case): string {
  // The seconds of an evaluation leave out those of a measured forgetting.
  const set = Object.entries({
    'training_config.eval_forgetting': false,
    ...settings,
    model_name: model,
  }).flatMap(([key, value]) => [
    '--set',
    `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ]);
  const told = JSON.parse(command('estimate', model, 'config.yml', '--json', ...set)) as {
    memory: { total: number };
    time: { secondsPerStep: number; evaluating: number; seconds: number };
  };
  const events = command('train', 'config.yml', '--json', '--overwrite', ...set)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as TrainingEvent);
  const steps = events.flatMap((event) =>
    event.type === 'step' && event.step > 1 ? [event.secondsPerStep] : [],
  );
  const evaluating = events.reduce((sum, event) => sum + (event.type === 'evaluate' ? event.seconds : 0), 0);
  const end = events.find((event) => event.type === 'end');
  const mean = steps.reduce((sum, one) => sum + one, 0) / steps.length;
  const ratio = (predicted: number, measured: number, digits: number) =>
    `${predicted.toFixed(digits)} / ${measured.toFixed(digits)} = ${(predicted / measured).toFixed(2)}`;
  return [
    name,
    `seconds a step ${ratio(told.time.secondsPerStep, mean, 3)}`,
    `evaluating ${ratio(told.time.evaluating, evaluating, 2)}`,
    `MiB ${ratio(told.memory.total / 2 ** 20, (end?.peakMemoryBytes ?? NaN) / 2 ** 20, 0)}`,
  ].join('; ');
}

function command(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(join(project.home, 'bin', 'adaptive-trainer'), args, {
    ...{ cwd: project.dir, encoding: 'utf8', env: { ...process.env, HOME: project.home } },
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}
