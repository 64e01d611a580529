/**
 * What a step takes in float32 and in bfloat16 with the instruction sets of this machine and with fewer, as other machines have
 * (ONEDNN_MAX_CPU_ISA, ATEN_CPU_CAPABILITY), and what the default, fp16: true, chooses and prints on each.
 *
 *   npm run bench:precision [-- --size 28m] [--tokens 603] [--note TEXT]
 */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { appendMeasured, type Measured } from '../step/append-results.js';
import { benchModel, type ModelSize } from '../step/bench-model.js';
import { quantile } from '../step/quantile.js';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '28m' },
    tokens: { type: 'string', default: '603' },
    note: { type: 'string', default: '' },
  },
});
const machines: NodeJS.ProcessEnv[] = [
  {},
  { ONEDNN_MAX_CPU_ISA: 'AVX512_CORE' },
  { ONEDNN_MAX_CPU_ISA: 'AVX2', ATEN_CPU_CAPABILITY: 'avx2' },
  { ONEDNN_MAX_CPU_ISA: 'SSE41', ATEN_CPU_CAPABILITY: 'default' },
];
const settings = { fp32: { precision: 'fp32' }, bf16: { precision: 'bf16' }, default: {} };

interface Seen {
  dtype: string;
  warnings: string[];
  seconds: number[];
  gradNorm: number;
  loss: number;
  instructions: string;
}
const { folder, parameters } = await benchModel(
  join(here, '..', '..', 'build', 'bench-model'),
  values.size as ModelSize,
);
async function train(env: NodeJS.ProcessEnv, args: object): Promise<Seen> {
  const given = ['--import', 'tsx', join(here, 'train-once.ts'), folder, JSON.stringify(args), values.tokens];
  const { stdout } = await promisify(execFile)(process.execPath, given, { env: { ...process.env, ...env } });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Seen;
}
const measured: Measured[] = [];
console.log('| instruction sets | fp32, s | bf16, s | `fp16: true` computes in | s | and says |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const env of machines) {
  const named = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const seen: Record<string, Seen> = {};
  for (const [name, args] of Object.entries(settings)) {
    const one = (seen[name] = await train(env, args));
    measured.push({
      ...{ what: `step, precision ${name}`, dtype: one.dtype, seconds: one.seconds, threads: 2 },
      ...{ parameters, rows: `1 row of ${values.tokens}`, loss: 'ce', tokens: Number(values.tokens) },
      ...{ lastLoss: one.loss, gradNorm: one.gradNorm, instructions: one.instructions },
      note: [...named, values.note].filter(Boolean).join('; '),
    });
  }
  const of = (name: string) => quantile(seen[name]!.seconds, 0.5).toFixed(3);
  const { dtype, warnings, instructions } = seen['default']!;
  const where = named.length === 0 ? instructions : `${instructions} (${named.join(', ')})`;
  console.log(
    `| ${where} | ${of('fp32')} | ${of('bf16')} | ${dtype} | ${of('default')} | ${warnings.join(', ')} |`,
  );
}
await appendMeasured(measured);
