import { existsSync } from 'node:fs';
import { mkdir, open, rename, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { random } from './random.js';

const common = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 1,
  dtype: 'float32',
  eos_token_id: 2,
  head_dim: 64,
  hidden_act: 'silu',
  initializer_range: 0.02,
  max_position_embeddings: 2048,
  mlp_bias: false,
  model_type: 'llama',
  pad_token_id: 0,
  rms_norm_eps: 1e-5,
  rope_parameters: { rope_theta: 10000, rope_type: 'default' },
  tie_word_embeddings: true,
  use_cache: true,
  vocab_size: 49152,
} as const;

/** Shapes of the benchmark's models; 135m is SmolLM2-135M's. */
const shapes = {
  '28m': {
    ...{ hidden_size: 384, intermediate_size: 1024, num_hidden_layers: 6 },
    ...{ num_attention_heads: 6, num_key_value_heads: 3 },
  },
  '135m': {
    ...{ hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 30 },
    ...{ num_attention_heads: 9, num_key_value_heads: 3 },
  },
} as const;

export type ModelSize = keyof typeof shapes;
export const modelSizes = Object.keys(shapes) as ModelSize[];

const configOf = (size: ModelSize) => ({ ...common, ...shapes[size] });
type Config = ReturnType<typeof configOf>;

/** Name and shape of every parameter, in the order of the file. */
function parameters(config: Config): [name: string, shape: number[]][] {
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
    const radius = common.initializer_range * Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

async function writeHeader(file: FileHandle, config: Config): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const [name, shape] of parameters(config)) {
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

/** What a step of a model is made of. */
export interface ModelCounts {
  parameters: number;
  /** Weights of the layers' matrices, which every token goes through. */
  projections: number;
  /** Those of the head, which labelled tokens go through. */
  head: number;
  layers: number;
  /** Values of the queries of one token in one layer. */
  attended: number;
}

/**
 * Writes a Llama of the benchmark (config.json and model.safetensors, float32, fixed seed) into a folder named after its size
 * unless it is there. No Python takes part, and every trainer under test opens this one folder.
 */
export async function benchModel(
  parent: string,
  size: ModelSize,
  seed = 1,
): Promise<ModelCounts & { folder: string }> {
  const config = configOf(size);
  const folder = join(parent, size);
  const all = parameters(config);
  const count = (wanted: (name: string, shape: number[]) => boolean) =>
    all.reduce((sum, [name, shape]) => sum + (wanted(name, shape) ? sizeOf(shape) : 0), 0);
  const counts = {
    parameters: count(() => true),
    projections: count((name, shape) => shape.length === 2 && name.startsWith('model.layers.')),
    head: config.vocab_size * config.hidden_size,
    layers: config.num_hidden_layers,
    attended: config.num_attention_heads * config.head_dim,
  };
  const target = join(folder, 'model.safetensors');
  if (existsSync(target)) return { ...counts, folder };
  await mkdir(folder, { recursive: true });
  const uniform = random(seed);
  // Renamed when complete, so a run that was cut off leaves no half model for the next one.
  const partial = `${target}.partial`;
  const file = await open(partial, 'w');
  try {
    await writeHeader(file, config);
    for (const [, shape] of all) {
      const values = initial(shape, uniform);
      await file.write(new Uint8Array(values.buffer));
    }
  } finally {
    await file.close();
  }
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  await rename(partial, target);
  return { ...counts, folder };
}
