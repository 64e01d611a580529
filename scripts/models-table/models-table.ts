// Writes docs/models.md: which families there are, on which tiny models each was compared with transformers, and how far
// apart the two came out on the machine that ran this.
// Run: npx tsx scripts/models-table/models-table.ts
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { CausalLM } from '../../src/model/causal-lm.js';
import { families } from '../../src/model/architecture/families.js';
import { measureFixture, type Measured } from './measure-fixture.js';

const root = new URL('../../', import.meta.url).pathname;
const fixtures = join(root, 'test/fixtures');

const titles: Record<string, string> = {
  llama: 'Llama 2, 3, 3.1, 3.2, SmolLM2',
  mistral: 'Mistral',
  qwen2: 'Qwen2, Qwen2.5',
  qwen3: 'Qwen3',
  phi3: 'Phi-3, Phi-3.5, Phi-4',
  gemma2: 'Gemma 2',
  gemma3_text: 'Gemma 3 (text)',
  smollm3: 'SmolLM3',
  olmo2: 'OLMo 2',
  granite: 'Granite',
  gpt2: 'GPT-2',
  mixtral: 'Mixtral',
  qwen2_moe: 'Qwen1.5-MoE, Qwen2-MoE',
  qwen3_moe: 'Qwen3-MoE',
  olmoe: 'OLMoE',
  gpt_oss: 'gpt-oss',
  gemma: 'Gemma',
  phi: 'Phi-1, Phi-1.5, Phi-2',
  gpt_neox: 'GPT-NeoX, Pythia',
  stablelm: 'StableLM',
  starcoder2: 'StarCoder2',
  olmo: 'OLMo',
  olmo3: 'OLMo 3',
  cohere: 'Cohere Command R',
  cohere2: 'Cohere Command R7B, Command A',
  glm: 'GLM-4 (9B of 2024)',
  glm4: 'GLM-4 (0414)',
  exaone4: 'EXAONE 4',
};

interface Row extends Measured {
  name: string;
  /** Whether the greedy text was that of transformers. */
  greedy: boolean;
}

interface GreedyCase {
  prompts: number[][];
  greedy: number[][];
}

async function sameGreedy(dir: string, { prompts, greedy }: GreedyCase): Promise<boolean> {
  const model = await CausalLM.fromPretrained(dir);
  const most = Math.max(...greedy.map((row) => row.length));
  const rows = await model.generateBatch(prompts, { maxNewTokens: most, stopTokenIds: [] }).collect();
  model.dispose();
  return greedy.every((row, i) => row.every((id, t) => id === rows[i]![t]));
}

async function measured(): Promise<Row[]> {
  const { cases } = JSON.parse(readFileSync(join(fixtures, 'extra/greedy.json'), 'utf8')) as {
    cases: Record<string, GreedyCase>;
  };
  const rows: Row[] = [];
  for (const group of ['models', 'extra/models']) {
    for (const name of readdirSync(join(fixtures, group))) {
      const dir = join(fixtures, group, name);
      const greedy = await sameGreedy(dir, cases[`${group}/${name}`]!);
      rows.push({ ...(await measureFixture(dir)), name, greedy });
    }
  }
  return rows;
}

function table(rows: readonly Row[]): string[] {
  const worst = (list: readonly Row[], key: 'logits' | 'gradients') =>
    Math.max(...list.map((row) => row[key])).toExponential(1);
  return Object.keys(families).map((type) => {
    const own = rows.filter((row) => row.modelType === type);
    const cells = [
      titles[type] ?? type,
      `\`${type}\``,
      own.map(({ name }) => name).join(', '),
      worst(own, 'logits'),
      worst(own, 'gradients'),
      own.every(({ greedy }) => greedy) ? 'identical' : 'differs',
    ];
    return `| ${cells.join(' | ')} |`;
  });
}

const rows = await measured();
const text = readFileSync(new URL('models.template.md', import.meta.url), 'utf8').replace(
  '{{table}}',
  [
    '| family | `model_type` | tiny models compared | logits | gradients | greedy text |',
    '| --- | --- | --- | --- | --- | --- |',
    ...table(rows),
  ].join('\n'),
);
const path = join(root, 'docs/models.md');
writeFileSync(path, await format(text, { parser: 'markdown', printWidth: 120 }));
console.log(`${path}: ${rows.length} models`);
