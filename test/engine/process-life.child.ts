// What process-life.test.ts runs in a process of its own: <scenario> <model folder>.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { trainingRows } from '../helpers/training-rows.js';

const row = [1, 2, 3, 4, 5];
const [, , scenario, dir] = process.argv as [string, string, string, string];

function trainerOn(model: CausalLM, onStepEnd: () => void = () => {}): AdaptiveTrainer {
  return new AdaptiveTrainer({
    model,
    trainDataset: trainingRows(64, model.vocabSize, 1, 120),
    args: { batchSize: 16, gradientAccumulationSteps: 1, maxSteps: 50, fp16: false, saveStrategy: 'no' },
    callbacks: [{ onStepEnd }],
  });
}

// A worker does not inherit the loader that reads TypeScript.
const bootstrap = `
import('tsx/esm/api').then(({ register }) => {
  register();
  return import(${JSON.stringify(import.meta.url)});
});`;

function worker(task: string): Worker {
  return new Worker(bootstrap, { eval: true, workerData: { task, dir }, argv: [scenario, dir] });
}

function messageOf(thread: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function logitsOf(folder: string): Promise<number[]> {
  const model = await CausalLM.fromPretrained(folder);
  const { data } = await model.logits([row]);
  model.dispose();
  return [...data];
}

const scenarios: Record<string, () => Promise<void>> = {
  async worker() {
    const there = await messageOf(worker('logits'));
    console.log(JSON.stringify(there) === JSON.stringify(await logitsOf(dir)) ? 'same' : 'different');
  },
  async workers() {
    const here = logitsOf(dir);
    const there = await Promise.all([1, 2, 3].map(() => messageOf(worker('logits'))));
    const expected = JSON.stringify(await here);
    console.log(there.every((logits) => JSON.stringify(logits) === expected) ? 'same' : 'different');
  },
  async terminate() {
    const model = await CausalLM.fromPretrained(dir);
    for (let round = 0; round < 3; round++) {
      const thread = worker('train');
      await messageOf(thread);
      await pause(30 * round);
      await thread.terminate();
      await model.logits([row]);
    }
    console.log('alive');
  },
  async 'terminate-only-user'() {
    for (let round = 0; round < 2; round++) {
      const thread = worker('queue');
      await messageOf(thread);
      await thread.terminate();
    }
    await logitsOf(dir);
    console.log('alive');
  },
  async exit() {
    const model = await CausalLM.fromPretrained(dir);
    void trainerOn(model, () => {
      setTimeout(() => {
        console.log('leaving');
        process.exit(7);
      }, 50);
    }).train();
  },
  async idle() {
    const model = await CausalLM.fromPretrained(dir);
    await model.logits([row]);
    console.log('done');
  },
  async pending() {
    const model = await CausalLM.fromPretrained(dir);
    void model.logits([Array.from({ length: 300 }, (_, i) => i)]).then(() => console.log('finished'));
  },
  async throw() {
    const model = await CausalLM.fromPretrained(dir);
    void trainerOn(model, () => {
      setTimeout(() => {
        throw new Error('thrown on purpose');
      }, 50);
    }).train();
  },
  async drop() {
    // 5 million weights, 20 MB each; 40 of them held at once would be 800 MB.
    for (let i = 0; i < 40; i++) {
      const model = await CausalLM.fromPretrained(dir);
      await model.logits([row]);
      await pause(5);
    }
    const used = process.memoryUsage().rss / 2 ** 20;
    console.log(used < 800 ? 'bounded' : `grown to ${used} MiB`);
  },
};

if (isMainThread) {
  await scenarios[scenario]!();
} else {
  const { task, dir: folder } = workerData as { task: string; dir: string };
  if (task === 'logits') {
    parentPort!.postMessage(await logitsOf(folder));
  } else {
    const model = await CausalLM.fromPretrained(folder);
    if (task === 'queue') {
      for (let i = 0; i < 20; i++) void model.logits(Array.from({ length: 20 }, () => row));
      parentPort!.postMessage('under way');
    } else {
      await trainerOn(model, () => parentPort!.postMessage('under way')).train();
    }
  }
}
