// A small language model from scratch, with this library alone: see `usage` in options.ts. examples/seed-lm has the
// shape that is made by default.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { shuffledIndices } from '../../src/common/seeded-random.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { ProgressBar } from '../../src/trackers/terminal/progress-bar.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { readOptions, usage, type Options } from './options.js';
import { texts } from './texts.js';
import { tokenRows } from './token-rows.js';

/** A folder with config.json and the tokenizer: all that a model from scratch needs. */
async function startingFolder(options: Options): Promise<string> {
  const dir = join(options.out, 'start');
  await mkdir(dir, { recursive: true });
  const config = JSON.parse(await readFile(join(options.from, 'config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  if (options.layers !== undefined) config['num_hidden_layers'] = options.layers;
  if (options.hidden !== undefined) {
    const heads = Math.max(1, Math.round(options.hidden / 64));
    Object.assign(config, {
      hidden_size: options.hidden,
      intermediate_size: Math.round((options.hidden * 2.75) / 32) * 32,
      num_attention_heads: heads,
      num_key_value_heads: heads % 2 === 0 ? heads / 2 : heads,
    });
  }
  await writeFile(join(dir, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  const tokenizer = await Tokenizer.fromPretrained(options.from);
  await tokenizer.savePretrained(dir);
  return dir;
}

async function main(options: Options): Promise<void> {
  const dir = await startingFolder(options);
  const tokenizer = await Tokenizer.fromPretrained(dir);
  const all = await texts(options.text);
  const shuffled = Array.from(shuffledIndices(all.length, options.seed), (index) => all[index]!);
  const rows = tokenRows(tokenizer, shuffled, options.row, options.tokens);
  const heldOut = rows.splice(0, Math.max(1, Math.floor(rows.length / 50)));
  const model = await CausalLM.fromConfig(dir, { seed: options.seed });
  console.error(
    `${(model.parameterCount / 1e6).toFixed(2)} M parameters, ${rows.length} rows of ${options.row} tokens, ` +
      `${heldOut.length} held out`,
  );
  const bar = new ProgressBar();
  const trainer = new AdaptiveTrainer({
    model,
    tokenizer,
    trainDataset: rows,
    evalDataset: heldOut,
    outputDir: options.out,
    args: {
      batchSize: options.batch,
      gradientAccumulationSteps: 1,
      learningRate: options.learningRate,
      weightDecay: 0.1,
      warmupSteps: 20,
      numEpochs: options.epochs,
      optimizer: 'adamw',
      bf16: options.bfloat16,
      fp16: false,
      gradientCheckpointing: false,
      evalStrategy: 'no',
      saveStrategy: 'no',
      seed: options.seed,
      loss: 'ce',
    },
    trackers: [bar],
  });
  const before = await trainer.evaluate();
  const end = await trainer.train();
  const after = await trainer.evaluate();
  const prompt = 'dog, ';
  const answer = await model.generate(tokenizer.encode(prompt), { maxNewTokens: 24 }).collect();
  console.log(`held-out loss ${before.loss.toFixed(3)} -> ${after.loss.toFixed(3)} nats per token`);
  console.log(`${prompt}${tokenizer.decode(answer)}`);
  console.log(end.path);
  model.dispose();
}

const options = readOptions(process.argv.slice(2));
if (options === undefined) {
  console.error(usage);
  process.exitCode = 2;
} else {
  await main(options);
}
