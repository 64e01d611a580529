// What fuzz.test.ts runs in a process of its own: <rounds> <seed>. Prints the outcomes as JSON; an error that is not the
// library's own ends it with its stack.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { randomNumbers } from '../helpers/random.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

const [rounds, seed] = process.argv.slice(2).map(Number) as [number, number];
const random = randomNumbers(seed);
const upTo = (n: number) => Math.floor(random() * n);
const pick = <T>(values: readonly T[]): T => values[upTo(values.length)]!;

const dir = writeTinyModel(join(tempDir(), 'model'));
const weightsPath = join(dir, 'model.safetensors');
const configPath = join(dir, 'config.json');
const [weights, config] = [readFileSync(weightsPath), readFileSync(configPath)];
const headerEnd = 8 + Number(weights.readBigUInt64LE());

/** Values that a number of JSON may be replaced by. */
const numbers = [
  '0',
  '-1',
  '1',
  '2',
  '3',
  '17',
  '1e3',
  '1e999',
  '0.5',
  '2147483648',
  '9007199254740993',
  'null',
  '""',
  '[]',
];

function flipBytes(bytes: Buffer, from: number, to: number): Buffer {
  const out = Buffer.from(bytes);
  for (let i = 1 + upTo(4); i > 0; i--) out[from + upTo(to - from)] = upTo(256);
  return out;
}

/** Replaces one number of a JSON text; the header's length is mended, so that the lie is the only fault. */
function changeNumber(text: string): string {
  const places = [...text.matchAll(/(?<=[[:,\s])-?\d[\d.e-]*/g)];
  const { 0: found, index } = pick(places);
  return text.slice(0, index) + pick(numbers) + text.slice(index + found.length);
}

function withHeader(text: string): Buffer {
  const header = Buffer.from(text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, weights.subarray(headerEnd)]);
}

const headerText = weights.toString('utf8', 8, headerEnd);
const corruptions: (() => { weights?: Buffer; config?: Buffer })[] = [
  () => ({ weights: flipBytes(weights, 0, 8) }),
  () => ({ weights: flipBytes(weights, 8, headerEnd) }),
  () => ({ weights: flipBytes(weights, headerEnd, weights.length) }),
  () => ({ weights: weights.subarray(0, upTo(weights.length)) }),
  () => ({ weights: Buffer.concat([weights, Buffer.alloc(1 + upTo(64), upTo(256))]) }),
  () => ({ weights: withHeader(changeNumber(headerText)) }),
  () => ({ weights: withHeader(changeNumber(changeNumber(headerText))) }),
  () => ({
    weights: withHeader(
      headerText.replace(/F32/, pick(['F16', 'BF16', 'F64', 'I32', 'BOOL', 'F8_E4M3', 'x'])),
    ),
  }),
  () => ({ weights: withHeader(headerText.replace(/layers\.(\d)/, () => `layers.${upTo(4)}`)) }),
  () => {
    // A NaN or an infinity in one weight.
    const out = Buffer.from(weights);
    out.writeUInt32LE(
      pick([0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001]),
      headerEnd + 4 * upTo((weights.length - headerEnd) / 4),
    );
    return { weights: out };
  },
  () => ({ config: flipBytes(config, 0, config.length) }),
  () => ({ config: config.subarray(0, upTo(config.length)) }),
  () => ({ config: Buffer.from(changeNumber(config.toString())) }),
  () => ({ config: Buffer.from(changeNumber(changeNumber(config.toString()))) }),
  () => {
    const keys = Object.keys(tinyConfig);
    const changed: Record<string, unknown> = { ...tinyConfig };
    changed[pick(keys)] = pick([null, true, 'x', [], {}, -1, 0.1, 2 ** 40, undefined]);
    return { config: Buffer.from(JSON.stringify(changed)) };
  },
];

const rows = trainingRows(4, tinyConfig.vocab_size);
async function use(model: CausalLM): Promise<void> {
  await model.logits([[1, 2, 3]]);
  await model.generate([1], { maxNewTokens: 2 }).collect();
  const trainer = new AdaptiveTrainer({ model, trainDataset: rows, args: { ...plainArgs, maxSteps: 1 } });
  await trainer.train();
}

const codes: Record<string, number> = {};
let opened = 0;
for (let round = 0; round < rounds; round++) {
  const corrupt = corruptions[round % corruptions.length]!();
  writeFileSync(weightsPath, corrupt.weights ?? weights);
  writeFileSync(configPath, corrupt.config ?? config);
  let model: CausalLM | undefined;
  try {
    model = await CausalLM.fromPretrained(dir);
    opened++;
    await use(model);
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error) || error.code === 'NATIVE_FAILED') {
      writeFileSync(`${weightsPath}.fault`, corrupt.weights ?? weights);
      console.error(`round ${round}:`, error, corrupt.config?.toString());
      process.exit(3);
    }
    codes[error.code] = (codes[error.code] ?? 0) + 1;
  }
  model?.dispose();
}

writeFileSync(weightsPath, weights);
writeFileSync(configPath, config);
const whole = await CausalLM.fromPretrained(dir);
await use(whole);
whole.dispose();
console.log(JSON.stringify({ opened, codes, trained: true }));
