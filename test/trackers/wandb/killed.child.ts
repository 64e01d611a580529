// killed.child.ts <folder>: reports a run offline and kills itself in the middle.
import { WandbTracker } from '../../../src/trackers/wandb/wandb-tracker.js';
import { runEvents } from './run-events.js';

const tracker = new WandbTracker({
  settings: {
    mode: 'offline',
    baseUrl: 'http://127.0.0.1:1',
    apiKey: undefined,
    project: 'p',
    entity: undefined,
    name: undefined,
    runId: undefined,
    resume: undefined,
    group: undefined,
    tags: [],
    notes: undefined,
    dir: process.argv[2]!,
    console: false,
  },
});
let count = 0;
for (const event of runEvents({ lastStep: 100_000 })) {
  await tracker.onEvent(event);
  if (++count % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  if (count > 50_000) process.kill(process.pid, 'SIGKILL');
}
