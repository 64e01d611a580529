import { isPlainObject } from '../common/is-plain-object.js';
import { format } from '../common/format.js';
import { parsePeftConfig } from '../config/read/read-peft-config.js';
import { parseConfig } from '../config/read/parse-config.js';
import type { ParsedConfig } from '../config/schema/parsed-config.js';
import { dataPrinter } from '../trackers/terminal/data-printer.js';
import { memoryAdvice } from '../trainer/memory/check-memory.js';
import { memoryEstimate } from '../trainer/memory/memory-estimate.js';
import { untilInterrupted } from './abort-on-signals.js';
import { measureSpeed } from './plan/measure-speed.js';
import { fact, planFacts } from './plan/plan-text.js';
import { planTraining, type TrainingPlan } from './plan/training-plan.js';

/** An idle machine takes between the estimate divided by this and multiplied with it. */
const timeRange = 1.5;
const memoryRange = 0.15;

/** Prints the memory and the time of a run, from shapes, the data and a measurement of seconds. */
export async function estimate(
  model: string,
  input: unknown,
  { json = false, ranks: asked }: { json?: boolean; ranks?: number },
): Promise<void> {
  const named = isPlainObject(input) && 'model_name' in input ? 'model_name' : 'modelName';
  const config = parseConfig(isPlainObject(input) ? { ...input, [named]: model } : input);
  const onWarning = (message: string) => console.error(`warning ${message}`);
  const data = dataPrinter();
  const plan = await untilInterrupted((signal) =>
    planTraining(config, { onWarning, onProgress: data.onProgress, signal, ranks: asked }),
  ).finally(data.clear);
  const advice = await suggestions(config, plan);
  const free = plan.memory.available + plan.held;
  const fits = plan.memory.total <= free;
  const speed = await measureSpeed(config, plan);
  const { evaluating } = speed;
  const total = speed.secondsPerStep * plan.run.totalSteps + evaluating;
  if (json) {
    const { counts, precision, ranks, memory, run, assumptions } = plan;
    const time = { ...speed, seconds: total, least: total / timeRange, most: total * timeRange };
    console.log(
      JSON.stringify(
        { counts, precision, ranks, steps: run.totalSteps, memory, free, fits, advice, time, assumptions },
        null,
        2,
      ),
    );
    return;
  }
  const range = `${format.duration(total / timeRange)} to ${format.duration(total * timeRange)}`;
  const lines = [
    ...planFacts(config, plan),
    fact('', fits ? 'It fits.' : 'It does not fit.'),
    fact(
      'time',
      `about ${seconds(speed.secondsPerStep)} a step, ${format.duration(total)} in all` +
        `${evaluating > 0 ? `, ${seconds(evaluating)} of it to evaluate` : ''}: ${range} on this machine when idle, ` +
        `without loading, saving${plan.ranks > 1 ? ', what ranks wait for each other' : ''} and what else runs\n` +
        `(measured: ${(speed.operationsPerSecond / 1e9).toFixed(0)} thousand million operations a second)`,
    ),
    fact(
      fits ? 'less' : 'to fit',
      advice
        .slice(0, 4)
        .map(
          ({ name, total: bytes }) =>
            `${name}: ${format.bytes(bytes)}${!fits && bytes <= free ? ', fits' : ''}`,
        )
        .join('\n'),
    ),
    ...plan.assumptions.map((note) => fact('assumed', note)),
    fact(
      '',
      `Memory is right within ${memoryRange * 100} %${plan.assumptions.length > 0 ? ', as far as the assumed rows are' : ''}.`,
    ),
  ];
  console.log(lines.join('\n'));
}

function seconds(value: number): string {
  return value < 1 ? `${Number(value.toPrecision(2))} s` : format.duration(value);
}

/** What each setting alone would make of the memory; an adapter and a base in 4 bits among them. */
async function suggestions(
  { peftConfig, trainingConfig }: ParsedConfig,
  plan: TrainingPlan,
): Promise<{ name: string; total: number }[]> {
  const free = plan.memory.available + plan.held;
  const advice = memoryAdvice(plan.memoryInput, free);
  if (plan.memory.keptBlocks && plan.memory.keptBlocks.kept > 0)
    advice.push({ name: 'gradientCheckpointing: true', total: memoryEstimate(plan.memoryInput).total });
  const inFourBits = { ...trainingConfig, loadIn4bit: true };
  const changes: [string, Parameters<TrainingPlan['memoryWith']>[0]][] = [];
  if (plan.adapter === undefined) {
    const lora = parsePeftConfig({ r: 16, targetModules: 'all-linear' }, 'peftConfig');
    const name = 'peftConfig: { r: 16, targetModules: "all-linear" }';
    changes.push([name, { peftConfig: lora }]);
    changes.push([`loadIn4bit: true with ${name}`, { peftConfig: lora, trainingConfig: inFourBits }]);
  } else if (plan.quantization === undefined)
    changes.push(['loadIn4bit: true', { peftConfig, trainingConfig: inFourBits }]);
  for (const [name, changed] of trainingConfig.fromScratch ? [] : changes)
    advice.push({ name, total: memoryEstimate((await plan.memoryWith(changed)).input).total });
  return advice.sort((a, b) => Number(b.total <= free) - Number(a.total <= free) || a.total - b.total);
}
