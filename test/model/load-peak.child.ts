// What load-peak.test.ts runs, in a process of its own because a peak belongs to a whole one:
//   write <dir>         a model of 80 million parameters in bfloat16
//   <kind> <dir>        opens it, `plain` or with an `adapter`; prints how much the process grew at most, and what it holds
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CausalLM } from '../../src/model/causal-lm.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';

const [kind, dir] = process.argv.slice(2) as [string, string];

/** A line of /proc/self/status, in bytes. */
const memory = (key: string) =>
  1024 *
  Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

if (kind === 'write') {
  mkdirSync(dir, { recursive: true });
  const size = { vocab_size: 32000, hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 1 };
  writeFileSync(
    join(dir, 'config.json'),
    JSON.stringify({ ...tinyConfig, ...size, num_attention_heads: 16 }),
  );
  const model = await CausalLM.fromConfig(dir);
  await model.savePretrained(dir, { dtype: 'bfloat16' });
} else {
  // Code and threads that any model brings are there before the large one comes.
  const tiny = await CausalLM.fromPretrained(writeTinyModel(join(dir, kind)));
  await tiny.logits([[1, 2, 3]]);
  tiny.dispose();
  writeFileSync('/proc/self/clear_refs', '5'); // the peak counts from here
  const before = memory('VmRSS');
  const adapter = { adapter: { r: 4 }, dtype: 'bfloat16' } as const;
  const model = await CausalLM.fromPretrained(dir, kind === 'adapter' ? adapter : {});
  const { weights } = await model.call((native) => native.memory());
  console.log(JSON.stringify({ grown: memory('VmHWM') - before, weights, parameters: model.parameterCount }));
}
process.exit(0);
