import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { camelCase } from '../../src/common/camel-case.js';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { largestDifference } from '../helpers/differences.js';
import { tempDir } from '../helpers/temp-dir.js';

/** What scripts/oracles/lora_modes.py writes. */
interface Mode {
  name: string;
  keys: string[];
  dir: string;
  logits?: number[];
  error?: string;
}

const python = process.env['ADAPTIVE_TRAINER_PYTHON'];
const script = fileURLToPath(new URL('../../scripts/oracles/lora_modes.py', import.meta.url));
const why = python ? '' : ' (skipped: set ADAPTIVE_TRAINER_PYTHON to a Python that has peft)';

/** Modes that are refused here, though PEFT has them. */
const refusedHere = [
  /init (pissa_niter_4|corda|loftq|lora_ga)$/,
  /dora on (lm_head|embed_tokens|wte)$/,
  /(pissa|olora) on lm_head$/,
  /lora_bias$|replicated layers$|alora$|qalora$|arrow$|bdlora$|(kasa|velora|monteclora)_config$/,
  / of experts$/,
  / type /,
  // What PEFT saves of a tied head whose embedding is not called embed_tokens, it opens as something else.
  /gpt2 tied [[{]/,
];

async function opened(dir: string, row: number[]): Promise<Float32Array> {
  const model = await CausalLM.fromPretrained(dir, { ignoreDropout: true });
  try {
    return (await model.logits([row])).data;
  } finally {
    model.dispose();
  }
}

describe.skipIf(!python)(`adapters that PEFT makes in every mode${why}`, () => {
  it('open to its logits, or are refused by name', async () => {
    const out = tempDir();
    execFileSync(python!, [script, '--out', out], { stdio: 'pipe' });
    const { row, modes } = JSON.parse(readFileSync(join(out, 'modes.json'), 'utf8')) as {
      row: number[];
      modes: Mode[];
    };
    const made = modes.filter(({ logits }) => logits !== undefined);
    expect(made.length).toBeGreaterThan(150);
    const faults: string[] = [];
    for (const { name, keys, dir, logits } of made) {
      const found = await opened(dir, row).catch((error: unknown) => error);
      const mayBeRefused = refusedHere.some((reason) => reason.test(name));
      if (found instanceof Float32Array) {
        const gap = largestDifference(found, logits!);
        if (!(gap < 2e-5)) faults.push(`${name}: logits differ by ${gap}`);
        continue;
      }
      if (!AdaptiveTrainerError.isInstance(found)) throw found;
      const isNamed = keys.some(
        (key) => found.message.includes(key) || found.message.includes(camelCase(key)),
      );
      if (!mayBeRefused || !isNamed) faults.push(`${name}: ${found.code}: ${found.message}`);
    }
    expect(faults).toEqual([]);
  }, 600_000);
});
