/**
 * What is learned and what forgotten, by loss, rate and retention, measured with this library alone.
 *
 *   npm run bench:learning -- --family concepts --seeds 3        the settings that the family lists
 *   npm run bench:learning -- --family facts --setting "k1 lr=1e-3 keep=1"   one of your own; may be given several times
 *   npm run bench:learning -- --family all --print               the tables of what was measured before
 *
 * Every run is a line of bench/learning.csv; those that are there are not done again, so a command that was cut short goes on.
 */
import { cpus } from 'node:os';
import { loadAddon } from '../../src/engine/load/load-addon.js';
import { packageVersion } from '../../src/common/package-version.js';
import type { Family, FamilySize } from './family.js';
import { concepts, noise } from './families/concepts.js';
import { facts } from './families/facts.js';
import { many } from './families/many.js';
import { style } from './families/style.js';
import { frontier } from './frontier.js';
import { readOptions, type Options } from './options.js';
import { appendResult, readResults, type Result } from './results.js';
import { parseSetting } from './setting.js';
import { before, trainOnce, type Outcome } from './train-once.js';

const families: Record<string, (size: FamilySize, options: Options) => Promise<Family>> = {
  concepts,
  facts,
  style,
  'noise-20': (size) => noise(size, 0.2),
  'noise-40': (size) => noise(size, 0.4),
  many: (size, { out }) => many(size, out),
};

async function measure(family: Family, options: Options): Promise<void> {
  const settings = (options.settings.length > 0 ? options.settings : family.settings).map(parseSetting);
  let base: Awaited<ReturnType<typeof before>> | undefined;
  for (let seed = 0; seed < options.seeds; seed++) {
    for (const setting of settings) {
      const run = { family: family.name, setting: setting.name, seed, scale: options.scale };
      if ((await readResults(options.csv)).some((known) => isSame(known, run))) continue;
      base ??= await before(family);
      const { scale: loss_scale, ...outcome } = await trainOnce(
        ...([family, setting, seed, base, options.threads] as const),
      );
      console.error(`${run.family}  ${run.setting}  seed ${seed}  ${told(outcome)}`);
      await appendResult(options.csv, {
        ...{ date: new Date().toISOString().slice(0, 16), ...run, ...outcome, loss_scale },
        ...{ threads: await loadAddon().setThreads({ threads: 0 }), version: packageVersion() },
        cpu: cpus()[0]?.model.trim() ?? '',
      });
    }
  }
}

function isSame(known: Result, run: Pick<Result, 'family' | 'setting' | 'seed' | 'scale'>): boolean {
  const keys = Object.keys(run) as (keyof typeof run)[];
  return keys.every((key) => known[key] === run[key]);
}

function told(outcome: Omit<Outcome, 'scale'>): string {
  const { target, second, texts, chats, seconds } = outcome;
  const forgotten = `forgotten ${texts.toFixed(3)} / ${chats.toFixed(3)}`;
  return `${(100 * target).toFixed(1)} %  ${second.toFixed(3)}  ${forgotten}  ${seconds.toFixed(0)} s`;
}

const options = readOptions(process.argv.slice(2), Object.keys(families));
for (const name of options.families) {
  const family = await families[name]!({ scale: options.scale, seed: 1 }, options);
  if (!options.print) await measure(family, options);
  const runs = (await readResults(options.csv)).filter(
    (run) => run.family === family.name && run.scale === options.scale,
  );
  console.log(`\n${family.name}\n${frontier(family, runs)}`);
}
