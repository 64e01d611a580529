import { existsSync } from 'node:fs';
import { mkdir, open, rename, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { random } from './random.js';

const config = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 1,
  dtype: 'float32',
  eos_token_id: 2,
  head_dim: 64,
  hidden_act: 'silu',
  hidden_size: 384,
  initializer_range: 0.02,
  intermediate_size: 1024,
  max_position_embeddings: 1024,
  mlp_bias: false,
  model_type: 'llama',
  num_attention_heads: 6,
  num_hidden_layers: 6,
  num_key_value_heads: 3,
  pad_token_id: 0,
  rms_norm_eps: 1e-5,
  rope_parameters: { rope_theta: 10000, rope_type: 'default' },
  tie_word_embeddings: true,
  use_cache: true,
  vocab_size: 49152,
} as const;

/** Name and shape of every parameter, in the order of the file. */
function parameters(): [name: string, shape: number[]][] {
  const { hidden_size: hidden, intermediate_size: wide, head_dim: head } = config;
  const [queries, keys] = [config.num_attention_heads * head, config.num_key_value_heads * head];
  const list: [string, number[]][] = [['model.embed_tokens.weight', [config.vocab_size, hidden]]];
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const named = (name: string, ...shape: number[]) =>
      list.push([`model.layers.${layer}.${name}.weight`, shape]);
    named('input_layernorm', hidden);
    named('self_attn.q_proj', queries, hidden);
    named('self_attn.k_proj', keys, hidden);
    named('self_attn.v_proj', keys, hidden);
    named('self_attn.o_proj', hidden, queries);
    named('post_attention_layernorm', hidden);
    named('mlp.gate_proj', wide, hidden);
    named('mlp.up_proj', wide, hidden);
    named('mlp.down_proj', hidden, wide);
  }
  list.push(['model.norm.weight', [hidden]]);
  return list;
}

const sizeOf = (shape: number[]) => shape.reduce((product, side) => product * side, 1);

/** Normal values by Box-Muller for matrices, ones for norms: what a fresh Llama starts from. */
function initial(shape: number[], uniform: () => number): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  if (shape.length === 1) return values.fill(1);
  for (let i = 0; i < values.length; i += 2) {
    const radius = config.initializer_range * Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

async function writeHeader(file: FileHandle): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const [name, shape] of parameters()) {
    const end = offset + sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT;
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8, ' '));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  await file.write(Buffer.concat([length, padded]));
}

/**
 * Writes the 28.6 M-parameter Llama of the benchmark (config.json and model.safetensors, float32, fixed seed)
 * unless it is there. No Python takes part, and every trainer under test opens this one folder.
 */
export async function benchModel(folder: string, seed = 1): Promise<{ parameters: number }> {
  const count = parameters().reduce((sum, [, shape]) => sum + sizeOf(shape), 0);
  const target = join(folder, 'model.safetensors');
  if (existsSync(target)) return { parameters: count };
  await mkdir(folder, { recursive: true });
  const uniform = random(seed);
  // Renamed when complete, so a run that was cut off leaves no half model for the next one.
  const partial = `${target}.partial`;
  const file = await open(partial, 'w');
  try {
    await writeHeader(file);
    for (const [, shape] of parameters()) {
      const values = initial(shape, uniform);
      await file.write(new Uint8Array(values.buffer));
    }
  } finally {
    await file.close();
  }
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  await rename(partial, target);
  return { parameters: count };
}
