import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { loraKeys } from '../../src/model/adapter/lora-keys.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { tempDir } from '../helpers/temp-dir.js';

/** What scripts/oracles/lora_keys.py writes. */
interface Oracle {
  fields: string[];
  row: number[];
  picks: [number, number][];
  /** Logits, or why peft refuses; the first are those of the unchanged configuration. */
  results: (number[] | string)[];
  cases: [Record<string, unknown>, number][];
}

const source = fileURLToPath(new URL('../fixtures/extra/lora-keys', import.meta.url));
const base = fileURLToPath(new URL('../fixtures/models/llama', import.meta.url));
const oracle = JSON.parse(readFileSync(join(source, 'cases.json'), 'utf8')) as Oracle;
const config = JSON.parse(readFileSync(join(source, 'adapter_config.json'), 'utf8')) as object;
const changedBase = fileURLToPath(new URL('../../scripts/oracles/lora_changed_base.py', import.meta.url));
const python = process.env['ADAPTIVE_TRAINER_PYTHON'];

/** What is refused here by name, though peft opens it. */
const refusedHere = [
  // It trained on a base that it had changed, or is of a kind that is not built.
  /init_lora_weights: "(lora_ga|pissa_niter_4)", which trains on a base that it has changed/,
  /found (layer_replication|alora_invocation_tokens|use_qalora|use_a_key_of_later): /,
  // Weights that the configuration does not use.
  /Expected exactly the weights that the adapter’s configuration describes/,
  // Values that are of no use in training.
  /(lora_alpha|lora_dropout|task_type): expected/,
];
/** What opens here though peft trips over it, as JSON of the changes. */
const openedHere = [
  /^{"(alpha_pattern|rank_pattern|bias)":null}$/,
  /^{"r":4}$/, // 4.0 in JSON
  /^{"use_bdlora":false}$/,
  /^{"trainable_token_indices":\[\]}$/,
];

function write(changes: object): string {
  const dir = tempDir();
  cpSync(join(source, 'adapter_model.safetensors'), join(dir, 'adapter_model.safetensors'));
  const changed = Object.entries({ ...config, base_model_name_or_path: base, ...changes });
  const kept = Object.fromEntries(changed.filter(([, value]) => value !== '<left out>'));
  writeFileSync(join(dir, 'adapter_config.json'), JSON.stringify(kept));
  return dir;
}

async function logitsOf(dir: string): Promise<number[]> {
  const model = await CausalLM.fromPretrained(dir);
  try {
    const { data, shape } = await model.logits([oracle.row]);
    return oracle.picks.map(([t, v]) => data[t * shape[1] + v]!);
  } finally {
    model.dispose();
  }
}

const gapOf = (found: number[], wanted: number[]) =>
  Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!)));

describe('every key of adapter_config.json', () => {
  it('is classified', () => {
    expect(Object.keys(loraKeys)).toEqual(expect.arrayContaining(oracle.fields));
  });

  it('opens to what peft computes, or is refused by name', async () => {
    const faults: string[] = [];
    for (const [changes, number] of oracle.cases) {
      const [wanted, shown] = [oracle.results[number]!, JSON.stringify(changes)];
      const found = await logitsOf(write(changes)).catch((error: unknown) => error);
      if (Array.isArray(found)) {
        if (typeof wanted === 'string') {
          if (!openedHere.some((reason) => reason.test(shown)))
            faults.push(`${shown}: opened here: ${wanted}`);
        } else if (!(gapOf(found as number[], wanted) <= 2e-5)) faults.push(`${shown}: other logits`);
        continue;
      }
      if (!AdaptiveTrainerError.isInstance(found)) throw found;
      if (Array.isArray(wanted) && !refusedHere.some((reason) => reason.test(found.message)))
        faults.push(`${shown}: refused here: ${found.message.slice(0, 300)}`);
    }
    expect(faults).toEqual([]);
  });

  it('of a later version must be off', async () => {
    for (const value of [true, 3, 'x', {}, { y: 1 }])
      await expect(logitsOf(write({ use_something_new: value }))).rejects.toMatchObject({
        code: 'MODEL_UNSUPPORTED',
        message: expect.stringContaining(`use_something_new: ${JSON.stringify(value)}`),
      });
    for (const value of [null, false])
      expect(await logitsOf(write({ use_something_new: value }))).toHaveLength(oracle.picks.length);
  });

  it.each(['pissa_niter_4', 'corda', 'loftq', 'lora_ga'])(
    'init_lora_weights %s is refused with the way to convert it',
    async (init) => {
      await expect(logitsOf(write({ init_lora_weights: init }))).rejects.toMatchObject({
        code: 'MODEL_UNSUPPORTED',
        message: expect.stringMatching(/which trains on a base that it has changed.*(merge|conversion)/),
      });
    },
  );

  describe.skipIf(!python)('followed in peft', () => {
    const inPython = (cwd: string, ...args: string[]) =>
      execFileSync(python!, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const refusal = (init: string) =>
      logitsOf(write({ init_lora_weights: init })).then(
        () => expect.fail('it was opened'),
        (error: Error) => error.message,
      );

    // Trained with the initialisation; what is saved computes what the trained model did.
    const trained = async (init: string, saved: string, ...recipe: string[]) => {
      const dir = tempDir();
      const answer = JSON.parse(inPython(dir, changedBase, base, '--init', init, ...recipe)) as {
        row: number[];
        logits: number[];
      };
      const model = await CausalLM.fromPretrained(join(dir, saved));
      const { data } = await model.logits([answer.row]);
      model.dispose();
      expect(gapOf([...data], answer.logits)).toBeLessThan(2e-5);
    };

    it.each(['corda', 'lora_ga', 'pissa_niter_4'])(
      'the ways to convert and to merge an adapter of %s lead to what was trained',
      async (init) => {
        const message = await refusal(init);
        const [, before, after] =
          /once before training: (.*), and afterwards: (.*), and open "converted"/.exec(message)!;
        await trained(init, 'converted', '--before', before!, '--after', after!);
        const merge = /that trained it: (.*?), and open "merged"/.exec(message)![1]!;
        await trained(init, 'merged', '--after', merge);
      },
      600_000,
    );

    it.each(['eva', 'orthogonal', 'gaussian', 'pissa', 'olora'])(
      'an adapter of %s opens as peft saved it',
      async (init) => {
        await trained(init, 'saved', '--after', 'model.save_pretrained("saved")');
      },
      600_000,
    );
  });
});
