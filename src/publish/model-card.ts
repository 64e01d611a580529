import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { stringify } from 'yaml';
import type { ParsedConfig } from '../config/schema/parsed-config.js';
import { format } from '../common/format.js';
import { isHubName } from '../common/is-hub-name.js';
import type { RunRecord } from './run-record.js';

// Not of the model: where and under what name it ran.
const ownAffairs = [
  'runName',
  'wandbProject',
  'wandbEntity',
  'useWandb',
  'resumeFromCheckpoint',
  'overwriteOutputDir',
  'localRank',
  'ddpTimeout',
  'zeroStage',
];
const alsoOwn = [...ownAffairs, 'loggingSteps', 'saveStrategy', 'saveSteps', 'saveTotalLimit', 'onSaveError'];

/**
 * The README.md of a trained model: what the Hub reads (base model, datasets, tags), then data, settings and results for
 * people. Names of local files are cut to their last part, so that no path of this machine is published.
 * @param repo name of the repository
 */
export function modelCard(repo: string, config: ParsedConfig, run: RunRecord): string {
  const base = onHub(config.modelName) ? config.modelName : undefined;
  const datasets = [...new Set(run.datasets.map(({ name }) => name).filter(onHub))];
  const metadata = {
    ...(base === undefined ? {} : { base_model: base }),
    ...(datasets.length === 0 ? {} : { datasets }),
    library_name: config.peftConfig === null ? 'transformers' : 'peft',
    pipeline_tag: 'text-generation',
    tags: ['adaptive-trainer', 'adaptive-loss', 'sft'].filter(
      (tag) => tag !== 'adaptive-loss' || config.adaptiveLossConfig.loss === 'adaptive',
    ),
  };
  const from =
    base === undefined ? text(basename(config.modelName)) : `[${base}](https://huggingface.co/${base})`;
  return [
    `---\n${stringify(metadata)}---`,
    `# ${repo.split('/').at(-1)!}`,
    `${from}, fine-tuned with [adaptive-trainer](https://www.npmjs.com/package/adaptive-trainer).`,
    config.peftConfig === null ? use(repo) : useAdapter(repo),
    data(run),
    results(run),
    settings(config),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

function use(repo: string): string {
  return `## Use

\`\`\`python
from transformers import pipeline

chat = pipeline("text-generation", model=${JSON.stringify(repo)})
print(chat([{"role": "user", "content": "Hello"}], max_new_tokens=128)[0]["generated_text"][-1])
\`\`\``;
}

function useAdapter(repo: string): string {
  return `## Use

A LoRA adapter: it needs its base model.

\`\`\`python
from peft import AutoPeftModelForCausalLM

model = AutoPeftModelForCausalLM.from_pretrained(${JSON.stringify(repo)})
\`\`\``;
}

function data({ datasets }: RunRecord): string {
  if (datasets.length === 0) return '';
  const rows = datasets.map((one) => [
    onHub(one.name) ? `[${one.name}](https://huggingface.co/datasets/${one.name})` : text(basename(one.name)),
    one.style,
    ...[one.train, one.eval, one.trainedTokens].map((count) => format.count(count)),
  ]);
  const head = ['Dataset', 'Learning style', 'Training rows', 'Evaluation rows', 'Trained tokens'];
  return `## Data\n\n${table(head, rows)}`;
}

function results({ end, evaluation, start }: RunRecord): string {
  const rows: string[][] = [];
  if (start !== undefined) rows.push(['Parameters', format.count(start.parameters)]);
  if (end !== undefined) {
    rows.push(['Steps', format.count(end.steps)], ['Epochs', String(Number(end.epochs.toFixed(2)))]);
    rows.push(['Tokens', format.count(end.tokens)], ['Mean training loss', format.loss(end.loss)]);
    rows.push(['Time', format.duration(end.seconds)]);
  }
  if (evaluation !== undefined) {
    rows.push([`Evaluation loss (step ${evaluation.step})`, format.loss(evaluation.loss)]);
    rows.push(['Perplexity', format.loss(evaluation.perplexity)]);
    rows.push(['Tokens that are the first choice', format.share(evaluation.tokenAccuracy, 1)]);
    if (evaluation.forgetting !== undefined)
      rows.push(['Divergence from the base model (nats/token)', format.loss(evaluation.forgetting)]);
  }
  return rows.length === 0 ? '' : `## Results\n\n${table(['', ''], rows)}`;
}

function settings({ trainingConfig, adaptiveLossConfig, peftConfig }: ParsedConfig): string {
  const { retention, ...training } = trainingConfig;
  const rows = Object.entries({ ...training, ...retained(retention), ...adaptiveLossConfig, ...peftConfig })
    .filter(([key, value]) => !alsoOwn.includes(key) && value !== null && value !== undefined)
    .map(([key, value]) => [`\`${key}\``, text(typeof value === 'string' ? value : JSON.stringify(value))]);
  return `## Settings\n\n${table(['', ''], rows)}`;
}

/** Its sources by their names. */
function retained(retention: ParsedConfig['trainingConfig']['retention']): object {
  if (retention === null) return {};
  const source = retention.source.map((one) => {
    if (typeof one === 'string') return onHub(one) ? one : basename(one);
    return 'dataset' in one ? basename(one.dataset) : one.name;
  });
  return { retention: { ...retention, source } };
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A folder or file of this machine goes before a name on the Hub, as when it is opened. */
function onHub(name: string): boolean {
  return isHubName(name) && !existsSync(name);
}

/** Text that means nothing in Markdown. */
function text(value: string): string {
  return value.replace(/[\\`*_{}[\]<>#|]/g, '\\$&');
}
