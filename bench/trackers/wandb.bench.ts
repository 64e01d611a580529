// What reporting to W&B costs a training step, with a server that is well, dead, slow or refusing:
//   npx tsx bench/trackers/wandb.bench.ts
// Prints, for each, the time that the trainer waits for the tracker per step (logged every 10), the processor time of the
// whole process per step, and the rows that arrived. A step of the quickstart takes about 100 ms.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WandbTracker } from '../../src/trackers/wandb/wandb-tracker.js';
import { runEvents } from '../../test/trackers/wandb/run-events.js';
import { StandInWandb, type WandbFault } from '../../test/trackers/wandb/stand-in-wandb.js';

const steps = 2_000;
const stepMs = 2;

const servers: Record<string, (request: { number: number }) => WandbFault | undefined> = {
  well: () => undefined,
  'cuts connections half the time': ({ number }) => (number % 2 ? 'cut' : undefined),
  'answers 429 half the time': ({ number }) => (number % 2 ? 429 : undefined),
  'answers 500 half the time': ({ number }) => (number % 2 ? 500 : undefined),
  'never answers': () => 'never',
};

async function measure(fault: (request: { number: number }) => WandbFault | undefined, isDead = false) {
  const server = await StandInWandb.start();
  server.fault = fault;
  if (isDead) await server.stop();
  const dir = mkdtempSync(join(tmpdir(), 'adaptive-trainer-bench-'));
  const tracker = new WandbTracker({
    settings: {
      mode: 'online',
      baseUrl: server.url,
      apiKey: 'k'.repeat(40),
      project: 'p',
      entity: undefined,
      name: 'run',
      runId: undefined,
      resume: undefined,
      group: undefined,
      tags: [],
      notes: undefined,
      dir,
      console: false,
    },
    pacing: { interval: 500, firstPause: 50, maxPause: 500, finishLimit: 3_000 },
    onNote: () => {},
    onWarning: () => {},
  });
  let waited = 0;
  const before = process.cpuUsage();
  for (const event of runEvents({ lastStep: steps })) {
    const start = performance.now();
    await tracker.onEvent(event);
    waited += performance.now() - start;
    // The engine's work, during which the event loop is free.
    if (event.type === 'step') await new Promise((resolve) => setTimeout(resolve, stepMs));
  }
  const { user, system } = process.cpuUsage(before);
  await tracker.close();
  const rows = server.history('run1').length;
  if (!isDead) await server.stop();
  rmSync(dir, { recursive: true });
  return { waited: (1_000 * waited) / steps, cpu: (user + system) / steps, rows };
}

const print = (name: string, { waited, cpu, rows }: Awaited<ReturnType<typeof measure>>) =>
  console.log(
    `${name.padEnd(32)} waits ${waited.toFixed(1)} us a step, ${cpu.toFixed(0)} us of processor, ${rows} of ${steps / 10} rows`,
  );
for (const [name, fault] of Object.entries(servers)) print(name, await measure(fault));
print('dead', await measure(() => undefined, true));
