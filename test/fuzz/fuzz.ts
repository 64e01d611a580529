// npm run fuzz -- --target <name> [--minutes 10] [--seed n] [--rounds n]    reads changed files of one kind
// npm run fuzz -- --target <name> --replay <file>                            reads one file that was saved
// Every file has to be read, or refused with an error of the library's own. One that is not, ends or hangs the process or
// takes a gigabyte is saved in build/fuzz; once what it shows is mended, it moves to test/fuzz/seeds/<name>.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runFuzzer, type Finding } from './run-fuzzer.js';
import { targets, type TargetName } from './targets.js';

const option = { type: 'string' } as const;
const { values } = parseArgs({
  options: { target: option, minutes: option, seed: option, rounds: option, replay: option },
});
const names = Object.keys(targets);
if (values.target === undefined || !names.includes(values.target)) {
  console.error(`Expected --target ${names.join('|')}, found ${values.target ?? 'none'}.`);
  process.exit(2);
}
const number = (name: 'minutes' | 'seed' | 'rounds', fallback: number) => {
  const value = Number(values[name] ?? fallback);
  if (value >= 0) return value;
  console.error(`Expected --${name} to be a number, found ${values[name]}.`);
  process.exit(2);
};

const target = values.target as TargetName;
const seed = number('seed', Math.floor(Math.random() * 2 ** 20));
const rounds = number('rounds', Infinity);
const { replay } = values;
const say = ({ what, file }: Finding) => {
  console.log(`\n${what}\n  saved as ${file}; again: npm run fuzz -- --target ${target} --replay ${file}`);
};
const report = await runFuzzer({
  ...{
    target,
    seed,
    rounds,
    minutes: number('minutes', rounds === Infinity ? 10 : Infinity),
    onFinding: say,
  },
  findings: fileURLToPath(new URL('../../build/fuzz', import.meta.url)),
  ...(replay === undefined ? {} : { replay }),
});
if (replay !== undefined && report.lastMessage !== '') console.log(report.lastMessage);
const outcomes = Object.entries(report.outcomes).sort((a, b) => b[1] - a[1]);
console.log(
  `${target}, seed ${seed}: ${report.rounds} files, ${outcomes.map(([code, count]) => `${code} ${count}`).join(', ')}; ` +
    `${report.findings.length} findings`,
);
if (report.findings.length > 0) process.exitCode = 1;
