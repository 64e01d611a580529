import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { TensorBoardTracker } from '../../src/trackers/tensorboard/tensorboard-tracker.js';
import { WandbTracker } from '../../src/trackers/wandb/wandb-tracker.js';
import { tempDir } from '../helpers/temp-dir.js';
import { runEvents, type EventOptions } from './wandb/run-events.js';
import { StandInWandb } from './wandb/stand-in-wandb.js';

const run = promisify(execFile);
/** A Python that has wandb and tensorboard. */
const python = process.env['ADAPTIVE_TRAINER_TRACKERS_PYTHON'];
const why = python
  ? ''
  : ' (skipped: set ADAPTIVE_TRAINER_TRACKERS_PYTHON to a Python with wandb and tensorboard)';
const apiKey = '0123456789abcdef0123456789abcdef01234567';

async function tensorboard(dir: string, events: EventOptions): Promise<void> {
  const tracker = new TensorBoardTracker(dir);
  for (const event of runEvents(events)) tracker.onEvent(event);
  await tracker.close();
}

describe.skipIf(!python)(`TensorBoard's EventAccumulator${why}`, () => {
  it('reads scalars, texts and hyper-parameters back, and of repeated steps the later ones', async () => {
    const dir = tempDir();
    await tensorboard(dir, { lastStep: 50, ends: false });
    await tensorboard(dir, { firstStep: 31, lastStep: 80 });
    const { stdout } = await run(python!, [
      '-c',
      `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]); events.Reload()
tags = events.Tags()
print(json.dumps({
  'loss': [(e.step, e.value) for e in events.Scalars('train/loss')],
  'eval': [(e.step, e.value) for e in events.Scalars('eval/loss')],
  'sample': events.Tensors('samples/facts/0')[0].tensor_proto.string_val[0].decode(),
  'hparams': sorted(events.SummaryMetadata(t).plugin_data.plugin_name for t in events.summary_metadata if t.startswith('_hparams_')),
}))`,
      join(dir, 'tensorboard'),
    ]);
    const found = JSON.parse(stdout) as Record<string, unknown>;
    const steps = [10, 20, 30, 40, 50, 60, 70, 80];
    expect(found).toEqual({
      loss: steps.map((step) => [step, Math.fround(1 / step)]),
      eval: steps.map((step) => [step, Math.fround(3 / step)]),
      sample: '    Hello\n      world',
      hparams: ['hparams', 'hparams'],
    });
  });
});

describe.skipIf(!python)(`the official W&B client${why}`, () => {
  const clientEnv = (server: StandInWandb) => ({
    ...process.env,
    WANDB_MODE: 'online',
    PYTHONPATH: fileURLToPath(new URL('./python', import.meta.url)),
    WANDB_BASE_URL: server.url,
    WANDB_API_KEY: apiKey,
    WANDB_ERROR_REPORTING: 'false',
    WANDB_SILENT: 'true',
  });
  const comparable = (server: StandInWandb, name: string) => ({
    history: server.history(name).map(({ _timestamp, _runtime, ...row }) => row),
    summary: withoutTimes(server.runs.get(name)!.summary),
    config: without(server.runs.get(name)!.config, '_wandb'),
    complete: server.runs.get(name)!.isComplete,
    exitCode: server.runs.get(name)!.exitCode,
  });
  const without = (record: Record<string, unknown>, ...keys: string[]) =>
    Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));
  const withoutTimes = (record: Record<string, unknown>) =>
    without(record, '_timestamp', '_runtime', '_wandb');

  async function ours(server: StandInWandb, mode: 'online' | 'offline', dir: string): Promise<void> {
    const tracker = new WandbTracker({
      settings: {
        mode,
        baseUrl: server.url,
        apiKey: mode === 'online' ? apiKey : undefined,
        project: 'p',
        entity: undefined,
        name: 'my run',
        runId: undefined,
        resume: undefined,
        group: undefined,
        tags: [],
        notes: undefined,
        dir,
        console: false,
      },
      pacing: { interval: 20 },
      onNote: () => {},
    });
    for (const event of runEvents()) await tracker.onEvent(event);
    await tracker.close();
  }

  it('brings our offline run to a server as our own upload does, and its own run of the same values arrives alike', async () => {
    const server = await StandInWandb.start();
    try {
      const dir = tempDir();
      await ours(server, 'online', tempDir());
      const online = comparable(server, 'run1');
      server.runs.clear();

      await ours(server, 'offline', dir);
      const folder = readdirSync(join(dir, 'wandb')).find((name) => name.startsWith('offline-run-'))!;
      await run(python!, ['-m', 'wandb', 'sync', join(dir, 'wandb', folder)], {
        env: clientEnv(server),
        cwd: dir,
      });
      expect(comparable(server, 'run1')).toEqual(online);
      server.runs.clear();

      const given = { config: online.config, history: online.history, summary: online.summary };
      await run(python!, ['-c', officialRun, JSON.stringify(given)], { env: clientEnv(server), cwd: dir });
      expect(comparable(server, 'run1')).toEqual(online);
    } finally {
      await server.stop();
    }
  }, 240_000);
});

/** Logs given rows with the official client. */
const officialRun = `
import json, sys, wandb
given = json.loads(sys.argv[1])
run = wandb.init(project='p', id='run1', name='my run', config={k: v['value'] for k, v in given['config'].items()})
run.define_metric('train/global_step')
run.define_metric('*', step_metric='train/global_step', step_sync=True)
for row in given['history']:
    run.log({k: v for k, v in row.items() if k != '_step'}, step=row['_step'])
for key, value in given['summary'].items():
    if not key.startswith('_'): run.summary[key] = value
run.finish()
`;
