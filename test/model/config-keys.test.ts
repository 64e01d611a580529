import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { tempDir } from '../helpers/temp-dir.js';

type Json = Record<string, unknown>;

/** What scripts/oracles/config_keys.py writes. */
interface Oracle {
  model: string;
  /** The key that holds the configuration which is changed; absent: it is config.json itself. */
  within?: string;
  row: number[];
  /** Token and vocabulary entry of each logit. */
  picks: [number, number][];
  /** Logits, or why transformers refuses; the first are those of the unchanged configuration. */
  results: (number[] | string)[];
  /** Keys that are changed, and which result comes of it. */
  cases: [Json, number][];
}

/** What is refused here for a reason of its own, though transformers computes something. */
const refusedHere = [
  // Not built.
  /Expected (is_causal true|per_layer_config null|model_type|use_bidirectional_attention|add_cross_attention)/,
  /(hidden_act|hidden_activation|activation_function): expected one of silu/,
  /rope_type: expected .* found the string "proportional"/,
  // Layers that claim a window in a family that has none, or lists for another number of layers.
  /layer_types\[\d\]: expected "full_attention", found the string "sliding_attention"/,
  /no_rope_layers: expected one entry for each/,
  // Weights left over.
  /not part of this architecture/,
  // A band of frequencies without width: transformers divides by zero there.
  /highFrequencyFactor, found/,
  // No model that anybody means: no layers, ropes that turn backwards or not at all, lists of another length.
  /(num_hidden_layers|n_layer|num_experts_per_tok): expected a whole number from 1/,
  /: expected a number above 0, found (0|-)/,
  /(short|long)_factor: expected a list of \d+ numbers/,
  /partial_rotary_factor: expected a number above 0, at most 1, found (true|0)/,
  /head_dim: expected a whole number from 1 to \d+, found 0/,
  /(dropout|pdrop): expected a number from 0 to 1, found/,
  /sliding_window: expected a whole number from 1 to \d+, found 0/,
  // One of GPT-2's aliases, which Python takes for 1.
  /num_attention_heads: expected a whole number from 1 to \d+, found true/,
];
/** What opens here though transformers refuses it, as JSON of the changes. */
const openedHere = [
  // Python alone trips over these; none says anything about what is computed.
  /"(attribute_map|auto_map|num_labels|return_dict|use_return_dict|text_config|num_kv_shared_layers|attention_chunk_size)":/,
  /"initializer_range":/,
  // Its cache wants a window, its computation does not.
  /^{"sliding_window":(0|-1)}$/,
  /^{"layer_types":(null|\["(full_)?attention")/,
  // A window that no layer has.
  /"sliding_window":null,"use_sliding_window":true,"max_window_layers":0/,
  // As if it were left out.
  /^{"rotary_pct":null}$/,
  // What the other sizes make it.
  /^{"head_dim":null}$/,
  // JSON's 1.0 is 1 in JavaScript; transformers wants a float.
  /^{"(rms_norm_eps|layer_norm_epsilon|(final|attn)_logit_softcapping)":-?\d+}$/,
  // The first Phi-3 of 128k, which earlier versions of transformers open.
  /"type":"su"/,
];

/** Opened in GPT-2, which has no rope that they could change. */
const ropeKeys = /^{"rope_(scaling|parameters)":/;
/** Opened in the text model of a larger one, which says it in its place. */
const keysAbove = /^{"tie_word_embeddings":null}$/;

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
// `config_keys.py --all --out DIR` tries every value of every key; the committed ones are a choice.
const cases = process.env['ADAPTIVE_TRAINER_CONFIG_KEYS'] ?? join(fixtures, 'config-keys');
const names = readdirSync(cases).filter((name) => name.endsWith('.json'));
const refusals = ['MODEL_UNSUPPORTED', 'MODEL_CONFIG_INVALID', 'WEIGHTS_MISMATCH', 'INVALID_INPUT'];

describe.each(names)('every key of config.json, as transformers takes it: %s', (name) => {
  const oracle = JSON.parse(readFileSync(join(cases, name), 'utf8')) as Oracle;
  const { model, within, row, picks, results } = oracle;
  const source = join(fixtures, model);
  const whole = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8')) as Json;
  const config = within === undefined ? whole : (whole[within] as Json);
  const known = new Map<string, number[]>();

  async function computed(changes: Json): Promise<number[] | AdaptiveTrainerError> {
    const dir = tempDir();
    mkdirSync(dir, { recursive: true });
    for (const file of readdirSync(source).filter((file) => file.startsWith('model')))
      symlinkSync(join(source, file), join(dir, file));
    const changed = Object.fromEntries(
      Object.entries({ ...config, ...changes }).filter(([, value]) => value !== '<left out>'),
    );
    const stated = within === undefined ? changed : { ...whole, [within]: changed };
    writeFileSync(join(dir, 'config.json'), JSON.stringify(stated));
    try {
      const opened = await CausalLM.fromPretrained(dir, { ignoreDropout: true });
      try {
        const key = JSON.stringify(opened.decoder);
        if (!known.has(key)) {
          const { data, shape } = await opened.logits([row]);
          known.set(
            key,
            picks.map(([t, v]) => data[t * shape[1] + v]!),
          );
        }
        return known.get(key)!;
      } finally {
        opened.dispose();
      }
    } catch (error) {
      if (AdaptiveTrainerError.isInstance(error)) return error;
      throw error;
    }
  }

  it('gives the same logits, or is refused', async () => {
    const faults: string[] = [];
    for (const [changes, number] of oracle.cases) {
      const [found, wanted, shown] = [await computed(changes), results[number]!, JSON.stringify(changes)];
      if (found instanceof AdaptiveTrainerError) {
        const isNamed = refusals.includes(found.code);
        if (!isNamed || (Array.isArray(wanted) && !refusedHere.some((reason) => reason.test(found.message))))
          faults.push(`${shown}: refused here alone: ${found.code} ${found.message.slice(-200)}`);
      } else if (typeof wanted === 'string') {
        const ofOne = config['model_type'] === 'gpt2' ? [ropeKeys] : within === undefined ? [] : [keysAbove];
        const harmless = [...openedHere, ...ofOne];
        if (!harmless.some((reason) => reason.test(shown)))
          faults.push(`${shown}: opened here, refused there: ${wanted}`);
      } else {
        const gap = Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!)));
        if (!(gap <= 3e-5)) faults.push(`${shown}: departs by ${gap}`);
      }
    }
    expect(faults).toEqual([]);
  }, 600_000);
});
