/**
 * This library, compiled, as a peer of the step benchmark: it trains when told to and reports every step. Started by
 * step.bench.ts; the protocol is described in peer.ts. No TypeScript: what compiles it would be in the memory measured.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { AdaptiveTrainer, CausalLM, Tokenizer } from '../../dist/index.js';

/** @param {object} message */
function say(message) {
  process.stdout.write(`@bench ${JSON.stringify(message)}\n`);
}

/** The most memory this process ever held, of which Linux keeps the record. */
function peakBytes() {
  try {
    const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (found) return Number(found[1]) * 1024;
  } catch {
    // not Linux
  }
  return process.resourceUsage().maxRSS * 1024;
}

const eventLoopResolution = 2; // milliseconds

/** Lets a step begin only while steps are ordered; the time spent waiting belongs to no step. */
class Gate {
  orders = createInterface(process.stdin)[Symbol.asyncIterator]();
  ordered = 0;
  since = 0;
  delay = monitorEventLoopDelay({ resolution: eventLoopResolution });

  /** The trainer waits for its trackers, so holding an event back holds the next step back. @param {import('../../dist/index.js').TrainingEvent} event */
  async onEvent(event) {
    if (event.type === 'start') await this.wait();
    if (event.type !== 'step') return;
    const now = performance.now();
    const { step, loss, gradNorm } = event;
    say({ step, seconds: (now - this.since) / 1000, loss, gradNorm });
    this.since = now;
    if (--this.ordered > 0) return;
    this.delay.disable();
    // Between two looks there is always the resolution.
    const eventLoopDelay = Math.max(0, this.delay.percentile(99) / 1e6 - eventLoopResolution);
    say({ block: true, peakBytes: peakBytes(), eventLoopDelay });
    await this.wait();
  }

  async close() {}

  async wait() {
    const { value, done } = await this.orders.next();
    const order = done ? {} : JSON.parse(value);
    // The model is of no use to anyone; leave without the trainer's closing work.
    if (order.run === undefined) process.exit(0);
    this.ordered = order.run;
    this.delay.reset();
    this.delay.enable();
    this.since = performance.now();
  }
}

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: '' },
    tokenizer: { type: 'string', default: '' },
    rows: { type: 'string', default: '' },
    loss: { type: 'string', default: 'adaptive' },
    steps: { type: 'string', default: '1' },
    'batch-size': { type: 'string', default: '4' },
    'learning-rate': { type: 'string', default: '1e-4' },
    threads: { type: 'string', default: '2' },
    dtype: { type: 'string', default: 'fp32' },
    checkpointing: { type: 'string', default: 'auto' },
    facts: { type: 'string', default: '{}' },
  },
});
const styles = ['ideas', 'attention', 'both', 'misc'];
const rows = JSON.parse(await readFile(values.rows, 'utf8'));
const model = await CausalLM.fromPretrained(values.model);
const trainer = new AdaptiveTrainer({
  model,
  tokenizer: await Tokenizer.fromPretrained(values.tokenizer),
  trainDataset: rows.map((row, i) => ({ ...row, learningStyle: styles[i % styles.length] ?? 'misc' })),
  args: {
    batchSize: Number(values['batch-size']),
    gradientAccumulationSteps: 1,
    maxSteps: Number(values.steps),
    shuffle: false,
    learningRate: Number(values['learning-rate']),
    lrSchedulerType: 'constant',
    warmupSteps: 0,
    weightDecay: 0.01,
    maxGradNorm: 1,
    optimizer: 'adamw',
    ...(values.dtype === 'default' ? {} : { precision: values.dtype }),
    gradientCheckpointing: values.checkpointing === 'auto' ? 'auto' : values.checkpointing === 'true',
    threads: Number(values.threads),
    evalStrategy: 'no',
    saveStrategy: 'no',
    useWandb: false,
  },
  adaptiveLoss: { loss: values.loss },
  trackers: [new Gate()],
});
say({
  ready: true,
  dtype: trainer.precision,
  ...JSON.parse(values.facts),
  threads: Number(values.threads),
});
await trainer.train();
process.exit(0);
