import { isPlainObject } from '../common/is-plain-object.js';
import { format } from '../common/format.js';
import { parsePeftConfig } from '../config/read/read-peft-config.js';
import { parseConfig } from '../config/read/parse-config.js';
import type { ParsedConfig } from '../config/schema/parsed-config.js';
import { dataPrinter } from '../trackers/terminal/data-printer.js';
import { memoryAdvice } from '../trainer/memory/memory-advice.js';
import { leastMemory } from '../trainer/memory/planned-run.js';
import { untilInterrupted } from './abort-on-signals.js';
import { measureSpeed, type Speed } from './plan/measure-speed.js';
import { fact, planFacts, planReport } from './plan/plan-text.js';
import { planTraining, type TrainingPlan } from './plan/training-plan.js';

/** An idle machine takes between the estimate divided by this and multiplied with it. */
const timeRange = 1.5;
const memoryRange = 0.15;

interface EstimateOptions {
  json?: boolean | undefined;
  ranks?: number | undefined;
  /** Bytes of the GPU that is planned for. */
  deviceMemory?: number | undefined;
}

/** Prints the memory and the time of a run, from shapes, the data and a measurement of seconds. */
export async function estimate(
  model: string,
  input: unknown,
  { json = false, ranks: asked, deviceMemory }: EstimateOptions,
): Promise<void> {
  const named = isPlainObject(input) && 'model_name' in input ? 'model_name' : 'modelName';
  const config = parseConfig(isPlainObject(input) ? { ...input, [named]: model } : input);
  const onWarning = (message: string) => console.error(`warning ${message}`);
  const data = dataPrinter();
  const plan = await untilInterrupted((signal) =>
    planTraining(config, { onWarning, onProgress: data.onProgress, signal, ranks: asked, deviceMemory }),
  ).finally(data.clear);
  const free = plan.memory.available + plan.memoryInput.held;
  const advice = await suggestions(config, plan, free);
  // A device that nobody has said the memory of.
  const fits = Number.isFinite(free) ? plan.memory.total <= free : undefined;
  const time = plan.device.isHere ? await timeOf(config, plan) : undefined;
  if (json) {
    const told = { free, fits: fits ?? null, advice, time: time ?? null, assumptions: plan.assumptions };
    console.log(JSON.stringify({ ...planReport(plan), ...told }, null, 2));
    return;
  }
  const lines = [
    ...planFacts(config, plan),
    ...(fits === undefined ? [] : [fact('', fits ? 'It fits.' : 'It does not fit.')]),
    fact('time', time === undefined ? 'not known: it is measured on the GPU itself' : timeText(time, plan)),
    fact(
      fits === false ? 'to fit' : 'less',
      advice
        .slice(0, 4)
        .map(
          ({ name, total: bytes }) =>
            `${name}: ${format.bytes(bytes)}${fits === false && bytes <= free ? ', fits' : ''}`,
        )
        .join('\n'),
    ),
    ...plan.assumptions.map((note) => fact('assumed', note)),
    fact(
      '',
      `Memory is right within ${memoryRange * 100} %${plan.assumptions.length > 0 ? ', as far as the assumed rows are' : ''}` +
        `${plan.device.name === 'cpu' ? '' : ', which no GPU has shown so far'}.`,
    ),
  ];
  console.log(lines.join('\n'));
}

interface Time extends Speed {
  /** Of the run, on this machine when it is idle. */
  seconds: number;
  least: number;
  most: number;
}

async function timeOf(config: ParsedConfig, plan: TrainingPlan): Promise<Time> {
  const speed = await measureSpeed(config, plan);
  const total = speed.secondsPerStep * plan.run.totalSteps + speed.evaluating;
  return { ...speed, seconds: total, least: total / timeRange, most: total * timeRange };
}

function timeText(time: Time, { ranks }: TrainingPlan): string {
  const { secondsPerStep, evaluating, operationsPerSecond } = time;
  return (
    `about ${seconds(secondsPerStep)} a step, ${format.duration(time.seconds)} in all` +
    `${evaluating > 0 ? `, ${seconds(evaluating)} of it to evaluate` : ''}: ` +
    `${format.duration(time.least)} to ${format.duration(time.most)} on this machine when idle, ` +
    `without loading, saving${ranks > 1 ? ', what ranks wait for each other' : ''} and what else runs\n` +
    `(measured: ${(operationsPerSecond / 1e9).toFixed(0)} thousand million operations a second)`
  );
}

function seconds(value: number): string {
  return value < 1 ? `${Number(value.toPrecision(2))} s` : format.duration(value);
}

/** What each setting alone would make of the memory; an adapter and a base in 4 bits among them. */
async function suggestions(
  { peftConfig, trainingConfig }: ParsedConfig,
  plan: TrainingPlan,
  free: number,
): Promise<{ name: string; total: number }[]> {
  const advice = memoryAdvice(plan.memoryInput, free);
  if (plan.memory.keptBlocks && plan.memory.keptBlocks.kept > 0)
    advice.push({ name: 'gradientCheckpointing: true', total: leastMemory(plan.memoryInput).total });
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
    advice.push({ name, total: leastMemory((await plan.memoryWith(changed)).input).total });
  return advice.sort((a, b) => Number(b.total <= free) - Number(a.total <= free) || a.total - b.total);
}
