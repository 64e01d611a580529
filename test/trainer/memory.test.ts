import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { MemoryReport } from '../../src/events/memory-report.js';
import { tempDir } from '../helpers/temp-dir.js';

const seedLM = 'examples/seed-lm';
const root = new URL('../../', import.meta.url).pathname;

/** A folder with a config.json: the weights are made when it is opened. */
function modelOf28M(): string {
  const dir = tempDir();
  const config = {
    model_type: 'llama',
    vocab_size: 49152,
    hidden_size: 384,
    intermediate_size: 1024,
    num_hidden_layers: 6,
    num_attention_heads: 6,
    num_key_value_heads: 3,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: true,
    max_position_embeddings: 1024,
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  return dir;
}

/** Eight experts of which each token goes through two. */
function modelWithExperts(): string {
  const dir = tempDir();
  const config = {
    model_type: 'mixtral',
    vocab_size: 2048,
    hidden_size: 256,
    intermediate_size: 512,
    num_hidden_layers: 6,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    num_local_experts: 8,
    num_experts_per_tok: 2,
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  return dir;
}

const large = ['--model', modelOf28M(), '--length', '512', '--checkpointing'].concat([
  '--precision',
  'bf16-true',
  '--optimizer',
  'paged_adamw_8bit',
  '--steps',
  '2',
]);

// A peak belongs to a whole process, so each run has one of its own; Linux keeps the record.
it.runIf(process.platform === 'linux').each([
  ['seed-lm in float32', '', ['--model', seedLM]],
  ['seed-lm in bf16 with checkpointing', '', ['--model', seedLM, '--precision', 'bf16', '--checkpointing']],
  ['seed-lm in bf16 with an adapter', '', ['--model', seedLM, '--precision', 'bf16', '--lora']],
  ['experts', '', ['--model', modelWithExperts(), '--length', '512', '--steps', '2']],
  ['seed-lm in 4 bits, with an adapter', '', ['--model', seedLM, '--lora', '--bits', 'nf4']],
  // The vocabulary is large: logits are most of what it takes.
  ['28.6 M parameters in bf16-true', '', large],
  ['28.6 M parameters in bf16-true, without bfloat16 instructions', 'AVX512_CORE', large],
  ['28.6 M parameters in bf16-true, without AVX-512', 'AVX2', large],
])('the estimate is within 15%% of the measured peak: %s', { timeout: 120_000 }, async (_, isa, flags) => {
  const args = ['--import', 'tsx', 'bench/memory/train-once.ts', ...flags];
  const env = isa === '' ? process.env : { ...process.env, ONEDNN_MAX_CPU_ISA: isa };
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env });
  const { memory, peakBytes } = JSON.parse(stdout) as { memory: MemoryReport; peakBytes: number };
  expect(memory.total / peakBytes).toBeGreaterThan(0.85);
  expect(memory.total / peakBytes).toBeLessThan(1.15);
});
