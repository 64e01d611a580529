// Mixes one file with the compiled library and prints what it took as JSON: mix-once.mjs <tokenizer folder> <file>.
// Compiled, for a TypeScript loader in every thread would be measured too.
import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { DatasetMixer, Tokenizer } from '../../dist/index.js';

const [dir, file] = process.argv.slice(2);
const cores = availableParallelism();

/**
 * Seconds that threads of this process ran or waited for a core that other processes had: what they would have run for on
 * a machine of their own. Of Linux alone.
 */
function wantedSeconds() {
  try {
    const threads = readdirSync('/proc/self/task');
    const times = threads.map((thread) =>
      readFileSync(`/proc/self/task/${thread}/schedstat`, 'utf8').split(' ').map(Number),
    );
    return times.reduce((sum, [ran, waited]) => sum + (ran + waited) / 1e9, 0);
  } catch {
    return undefined;
  }
}

const seconds = () => performance.now() / 1000;
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const now = () => ({ at: seconds(), cpu: cpu(), wanted: wantedSeconds() });

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
console.log(
  JSON.stringify({
    rows: train.length + held.length,
    tokens: report[0].tokens,
    seconds: whole,
    tokenizing: wall,
    cores,
    busy: (ended.cpu - begun.cpu) / (wall * cores),
    wanted: begun.wanted && (ended.wanted - begun.wanted) / (wall * cores),
    peakMebibytes: process.resourceUsage().maxRSS / 1024,
    mebibytesOnTheWay: samples,
    readBack: tokens,
  }),
);
