/**
 * Peak memory, time and gradient of a LoRA step on a base in 4 bits, in 8 and whole, each in a process of its own.
 * `tsx bench/memory/qlora.bench.ts [--layers 22] [--hidden 2048] [--length 64] [--rows 1] [--steps 3] [--whole bf16]`
 *
 * By default the model has the shape of TinyLlama: 1.1 thousand million random weights, written tensor by tensor in bfloat16
 * and deleted afterwards. `--whole fp32` compares with float32 in place of bfloat16.
 */
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { renderTable } from '../../src/index.js';
import { safetensorsHeader } from '../../src/model/files/safetensors-header.js';

const { values } = parseArgs({
  options: {
    layers: { type: 'string', default: '22' },
    hidden: { type: 'string', default: '2048' },
    length: { type: 'string', default: '64' },
    rows: { type: 'string', default: '1' },
    steps: { type: 'string', default: '3' },
    whole: { type: 'string', default: 'bf16' },
    only: { type: 'string' },
  },
});
const hidden = Number(values.hidden);
const config = {
  model_type: 'llama',
  vocab_size: 32000,
  hidden_size: hidden,
  intermediate_size: hidden * 2.75,
  num_hidden_layers: Number(values.layers),
  num_attention_heads: hidden / 64,
  num_key_value_heads: hidden / 512,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  max_position_embeddings: 2048,
};
const model = mkdtempSync(join(tmpdir(), 'qlora-bench-'));
process.on('exit', () => rmSync(model, { recursive: true, force: true }));
writeFileSync(join(model, 'config.json'), JSON.stringify(config));
const parameters = writeWeights(join(model, 'model.safetensors'));
const script = fileURLToPath(new URL('train-once.ts', import.meta.url));

/** Random weights of about the size that a new model has. Returns how many. */
function writeWeights(path: string): number {
  const inner = config.intermediate_size;
  const keys = config.num_key_value_heads * 64;
  const tensors: { name: string; dtype: string; shape: number[] }[] = [];
  const add = (name: string, ...shape: number[]) => tensors.push({ name, dtype: 'BF16', shape });
  add('model.embed_tokens.weight', config.vocab_size, hidden);
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}`;
    add(`${at}.input_layernorm.weight`, hidden);
    add(`${at}.self_attn.q_proj.weight`, hidden, hidden);
    add(`${at}.self_attn.k_proj.weight`, keys, hidden);
    add(`${at}.self_attn.v_proj.weight`, keys, hidden);
    add(`${at}.self_attn.o_proj.weight`, hidden, hidden);
    add(`${at}.post_attention_layernorm.weight`, hidden);
    add(`${at}.mlp.gate_proj.weight`, inner, hidden);
    add(`${at}.mlp.up_proj.weight`, inner, hidden);
    add(`${at}.mlp.down_proj.weight`, hidden, inner);
  }
  add('model.norm.weight', hidden);
  add('lm_head.weight', config.vocab_size, hidden);
  const header = Buffer.from(safetensorsHeader(tensors));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, header);
  let count = 0;
  for (const { shape } of tensors) {
    const size = shape.reduce((product, n) => product * n, 1);
    const bits = new Uint16Array(size);
    if (shape.length === 1) bits.fill(0x3f80);
    else {
      randomFillSync(bits);
      // A sign, an exponent from 2^-9 to 2^-6 and seven bits of fraction.
      for (let i = 0; i < size; i++)
        bits[i] = (bits[i]! & 0x807f) | (((0x76 + ((bits[i]! >> 8) & 3)) << 7) & 0x7f80);
    }
    writeSync(file, new Uint8Array(bits.buffer));
    count += size;
  }
  closeSync(file);
  return count;
}

interface Outcome {
  memory: { total: number };
  openedBytes: number;
  peakBytes: number;
  steps: { seconds: number; loss: number; gradNorm: number }[];
}

function trained(bits: string | undefined): Outcome {
  const args = [
    '--model',
    model,
    '--lora',
    '--rank',
    '16',
    '--checkpointing',
    '--optimizer',
    'paged_adamw_8bit',
  ];
  const { length, rows, steps, whole } = values;
  args.push('--length', length, '--rows', rows, '--steps', steps, '--precision', whole);
  if (bits !== undefined) args.push('--bits', bits);
  const output = execFileSync(process.execPath, ['--import', 'tsx', script, ...args], { encoding: 'utf8' });
  return JSON.parse(output) as Outcome;
}

const gibibytes = (bytes: number) => (bytes / 2 ** 30).toFixed(2);
const kinds = (values.only?.split(',') ?? ['nf4', 'int8', 'whole']).map((kind) => ({
  kind,
  outcome: trained(kind === 'whole' ? undefined : kind),
}));
const last = ({ steps }: Outcome) => steps.at(-1)!;
const whole = kinds.find(({ kind }) => kind === 'whole');
console.log(
  `${(parameters / 1e6).toFixed(0)} million weights, LoRA of rank 16 on every projection, ${values.rows} rows of ${values.length} tokens, ${values.whole}`,
);
console.log(
  renderTable(
    [
      'base',
      'estimate GiB',
      'peak GiB',
      'off by',
      'opened GiB',
      's/step',
      'of whole',
      'gradient norm',
      'loss',
    ],
    kinds.map(({ kind, outcome }) => [
      kind,
      gibibytes(outcome.memory.total),
      gibibytes(outcome.peakBytes),
      `${(100 * (outcome.memory.total / outcome.peakBytes - 1)).toFixed(0)} %`,
      gibibytes(outcome.openedBytes),
      last(outcome).seconds.toFixed(2),
      whole === undefined ? '' : (last(outcome).seconds / last(whole.outcome).seconds).toFixed(2),
      last(outcome).gradNorm.toFixed(4),
      last(outcome).loss.toFixed(3),
    ]),
  ),
);
