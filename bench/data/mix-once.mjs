// Mixes one file with the compiled library and prints what it took as JSON: mix-once.mjs <tokenizer folder> <file>.
// Compiled, for a TypeScript loader in every thread would be measured too.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { DatasetMixer, Tokenizer } from '../../dist/index.js';

const [dir, file] = process.argv.slice(2);
const cores = availableParallelism();

/** Jiffies that all cores of the machine were busy and idle since it started; of Linux alone. */
function machine() {
  try {
    const [, , user, nice, system, idle, wait, irq, soft, steal] = readFileSync('/proc/stat', 'utf8')
      .split(/\s+/, 10)
      .map(Number);
    return { busy: user + nice + system + irq + soft + steal, idle: idle + wait };
  } catch {
    return undefined;
  }
}

const seconds = () => performance.now() / 1000;
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const now = () => ({ at: seconds(), cpu: cpu(), machine: machine() });

const tokenizer = await Tokenizer.fromPretrained(dir);
const started = now();
let [begun, ended, samples] = [undefined, undefined, []];
const mixer = new DatasetMixer({
  tokenizer,
  datasetsConfig: { ideas: [file] },
  cacheDir: process.env.BENCH_CACHE || null,
  onProgress: ({ done, rows }) => {
    if (rows > 0) begun ??= now();
    if (done < 1) ended = now();
    if (samples.length < Math.floor(done * 10)) samples.push(Math.round(process.memoryUsage.rss() / 2 ** 20));
  },
});
const { train, eval: held, report } = await mixer.build();
const whole = seconds() - started.at;
// Rows are read back as a trainer would, out of order.
let tokens = 0;
for (let i = 0; i < Math.min(20_000, train.length); i++) tokens += train[i].inputIds.length;

const wall = ended.at - begun.at;
const machineBusy = begun.machine &&
  ended.machine && {
    busy: ended.machine.busy - begun.machine.busy,
    idle: ended.machine.idle - begun.machine.idle,
  };
console.log(
  JSON.stringify({
    rows: train.length + held.length,
    tokens: report[0].tokens,
    seconds: whole,
    tokenizing: wall,
    cores,
    busy: (ended.cpu - begun.cpu) / (wall * cores),
    machineBusy: machineBusy && machineBusy.busy / (machineBusy.busy + machineBusy.idle),
    peakMebibytes: process.resourceUsage().maxRSS / 1024,
    mebibytesOnTheWay: samples,
    readBack: tokens,
  }),
);
