import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { largestDifference } from '../helpers/differences.js';
import { readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

const python = process.env['ADAPTIVE_TRAINER_PYTHON'];
const script = fileURLToPath(new URL('../../scripts/oracles/open_in_transformers.py', import.meta.url));
const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const typeOf = (dir: string) =>
  (JSON.parse(readFileSync(join(fixtures, dir, 'config.json'), 'utf8')) as { model_type: string }).model_type;
const golden = readdirSync(join(fixtures, 'models')).map((name) => `models/${name}`);
const known = new Set(golden.map(typeOf));
/** Those of every family. */
const models = [
  ...golden,
  ...readdirSync(join(fixtures, 'extra/models'))
    .map((name) => `extra/models/${name}`)
    .filter((dir) => !known.has(typeOf(dir))),
];

const reason = !python
  ? 'set ADAPTIVE_TRAINER_PYTHON to a Python that has torch and transformers'
  : !existsSync(script)
    ? `${script} is not there`
    : undefined;
const title = `a fine-tuned folder in Python transformers${reason === undefined ? '' : ` (skipped: ${reason})`}`;

describe.skipIf(reason !== undefined)(title, () => {
  it.each(models)('%s opens and gives the same logits', async (name) => {
    const model = await CausalLM.fromPretrained(join(fixtures, name), { ignoreDropout: true });
    const before = await model.logits([[1, 2, 3]]);
    const out = join(tempDir(), 'out');
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset: trainingRows(12, model.vocabSize),
      args: { ...plainArgs, learningRate: 1e-3 },
    });
    await trainer.train();
    await trainer.saveModel(out);
    const rows = [[1, 2, 3], [7], Array.from({ length: 40 }, (_, i) => (i * 13) % model.vocabSize)];
    const ours = await model.logits(rows);
    expect(largestDifference(ours.data.subarray(0, before.data.length), before.data)).toBeGreaterThan(1e-3);

    const answer = join(out, 'logits.safetensors');
    execFileSync(python!, [script, out, '--ids', JSON.stringify(rows), '--out', answer], { stdio: 'pipe' });
    const { logits } = readSafetensors(answer);
    expect(logits!.shape).toEqual(ours.shape);
    expect(largestDifference(ours.data, logits!.data as Float32Array)).toBeLessThan(2e-5);
    model.dispose();
  });
});
