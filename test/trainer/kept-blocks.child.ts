// `tsx kept-blocks.child.ts <model> <gradientCheckpointing as JSON> <bytes>`: trains on two short rows and two long ones. After the
// first two steps the process may take so many bytes more; 0: as many as it likes. Prints what it saw.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { AdaptiveTrainer, CausalLM } from '../../src/index.js';
import type { StartEvent, WarningEvent } from '../../src/events/training-event.js';
import { plainArgs } from '../helpers/train-run.js';

const [dir, setting, bytes] = process.argv.slice(2) as [string, string, string];

/** Lowers RLIMIT_DATA to what the process has and `more` bytes. */
function limit(more: number): void {
  const size = Number(/^VmData:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
  execFileSync('prlimit', ['--pid', String(process.pid), `--data=${size + more}`]);
}

const model = await CausalLM.fromPretrained(dir);
const rows = [64, 64, 2048, 2048].map((length, row) => {
  const inputIds = Array.from({ length }, (_, i) => 3 + ((row * 7 + i * i) % 60));
  return { inputIds, labels: inputIds, learningStyle: 'both' as const };
});
const seen = { losses: [] as number[], gradNorms: [] as number[], warnings: [] as WarningEvent[], code: '' };
let start: StartEvent | undefined;
const trainer = new AdaptiveTrainer({
  model,
  trainDataset: rows,
  args: { ...plainArgs, batchSize: 1, gradientCheckpointing: JSON.parse(setting) as 'auto', threads: 1 },
  callbacks: [
    {
      onStart: (event) => void (start = event),
      onStepEnd({ step, loss, gradNorm }) {
        seen.losses.push(loss);
        seen.gradNorms.push(gradNorm);
        if (step === 2 && bytes !== '0') limit(Number(bytes));
      },
      onWarning: (event) => void seen.warnings.push(event),
    },
  ],
});
try {
  await trainer.train();
} catch (error) {
  seen.code = (error as { code: string }).code;
}
console.log(JSON.stringify({ ...seen, keptBlocks: start?.memory?.keptBlocks }));
process.exit(0);
