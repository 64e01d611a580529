import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readWandbLog } from '../../../src/trackers/wandb/wandb-log.js';
import type { WandbPacing } from '../../../src/trackers/wandb/wandb-sender.js';
import type { WandbSettings } from '../../../src/trackers/wandb/wandb-settings.js';
import { WandbTracker } from '../../../src/trackers/wandb/wandb-tracker.js';
import { freePort } from '../../helpers/free-port.js';
import { runChild } from '../../helpers/run-child.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { runEvents, type EventOptions } from './run-events.js';
import { StandInWandb, type WandbFault } from './stand-in-wandb.js';

const apiKey = '0123456789abcdef0123456789abcdef01234567';
const pacing: WandbPacing = { interval: 20, firstPause: 5, maxPause: 20, finishLimit: 60_000 };

let server: StandInWandb;
let dir: string;
beforeEach(async () => {
  server = await StandInWandb.start();
  dir = tempDir();
});
afterEach(() => server.stop());

function settings(extra: Partial<WandbSettings> = {}): WandbSettings {
  return {
    mode: 'online',
    baseUrl: server.url,
    apiKey,
    project: 'p',
    entity: undefined,
    name: 'my run',
    runId: undefined,
    resume: undefined,
    group: 'g',
    tags: ['a', 'b'],
    notes: undefined,
    dir,
    console: false,
    ...extra,
  };
}

async function report(
  events: EventOptions = {},
  extra: { settings?: Partial<WandbSettings>; pacing?: Partial<WandbPacing> } = {},
) {
  const warnings: string[] = [];
  const notes: string[] = [];
  const tracker = new WandbTracker({
    settings: settings(extra.settings),
    pacing: { ...pacing, ...extra.pacing },
    onWarning: ({ message }) => warnings.push(message),
    onNote: (note) => notes.push(note),
  });
  for (const event of runEvents(events)) await tracker.onEvent(event);
  await tracker.close();
  return { warnings, notes };
}

const steps = (rows: Record<string, unknown>[]) => rows.map((row) => row['_step']);
const tens = (from: number, to: number) =>
  Array.from({ length: (to - from) / 10 + 1 }, (_, i) => from + 10 * i);

function folders(): string[] {
  return readdirSync(join(dir, 'wandb')).filter((name) => name !== 'latest-run');
}

async function loggedSteps(folder: string): Promise<number[]> {
  const file = readdirSync(join(dir, 'wandb', folder)).find((name) => name.endsWith('.wandb'))!;
  const found: number[] = [];
  for await (const record of readWandbLog(join(dir, 'wandb', folder, file)))
    if (record.type === 'history') found.push(record.step);
  return found;
}

describe('a run online', () => {
  it('arrives with one row for each logged step, its settings, summary, files and exit code', async () => {
    const { notes, warnings } = await report();
    const run = server.runs.get('run1')!;
    expect(steps(server.history('run1'))).toEqual([10, 20, 30]);
    expect(server.history('run1')[1]).toMatchObject({
      'train/loss': 1 / 20,
      'train/grad_norm': 2,
      'train/learning_rate': 1e-4,
      'train/global_step': 20,
      'eval/loss': 3 / 20,
      'adaptive/already_correct': 4,
      'adaptive/coherence_bias_beta': 1.25,
    });
    expect(run.config).toMatchObject({
      learning_rate: { value: 1e-4 },
      adaptive_loss_config: { value: { top_k: 8 } },
      versions: { value: { node: process.versions.node } },
    });
    expect(run.summary).toMatchObject({ 'train/loss': 1 / 30, train_loss: 0.5, train_runtime: 4, _step: 30 });
    expect(JSON.parse(run.files.get('wandb-summary.json')!)).toMatchObject({ train_loss: 0.5 });
    expect(run.files.get('config.yaml')).toContain('learning_rate:');
    expect(run.streams.get('wandb-events.jsonl')!.length).toBeGreaterThan(0);
    expect(run).toMatchObject({ displayName: 'my run', tags: ['a', 'b'], isComplete: true, exitCode: 0 });
    expect(warnings).toEqual([]);
    expect(notes[0]).toBe(`W&B: ${server.url}/team/p/runs/run1`);
  });

  it('that fails says so by its exit code', async () => {
    await report({ ends: false });
    expect(server.runs.get('run1')).toMatchObject({ exitCode: 1, isComplete: true });
  });

  it('sends the last row of a run that ends between two logs', async () => {
    await report({ lastStep: 20, every: 5 });
    expect(steps(server.history('run1'))).toEqual([5, 10, 15, 20]);
  });

  it('sends what the process prints: whole lines, the last state of redrawn ones, no colours', async () => {
    const tracker = new WandbTracker({ settings: settings({ console: true }), pacing, onNote: () => {} });
    for (const event of runEvents({ ends: false })) await tracker.onEvent(event);
    process.stderr.write('\u001b[31mred\u001b[39m line\n10%\r20%\r');
    process.stderr.write('30%\n');
    await tracker.close();
    const lines = server.runs.get('run1')!.streams.get('output.log')!;
    expect(lines.map((line) => line.replace(/\d{4}-\S+Z/, 'TIME').trimEnd())).toEqual([
      'ERROR TIME red line',
      'ERROR TIME 30%',
    ]);
  });
});

describe('a server in trouble', () => {
  const half =
    (fault: WandbFault) =>
    ({ number }: { number: number }) =>
      number % 2 === 0 ? fault : undefined;

  it.each([429, 500, 'cut', 'lostAnswer'] as const)(
    '%s half the time: every row arrives once, in order',
    async (fault) => {
      server.fault = half(fault);
      const { warnings } = await report({ lastStep: 400 });
      expect(steps(server.history('run1'))).toEqual(tens(10, 400));
      expect(server.runs.get('run1')!.isComplete).toBe(true);
      expect(warnings).toEqual([]);
    },
  );

  it('that is away at first gets every row when it comes back', async () => {
    await server.stop();
    const port = await freePort();
    const away = settings({ baseUrl: `http://127.0.0.1:${port}` });
    const tracker = new WandbTracker({ settings: away, pacing, onNote: () => {} });
    for (const event of runEvents({ lastStep: 100 })) await tracker.onEvent(event);
    const closing = tracker.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    server = await StandInWandb.start(port);
    await closing;
    expect(steps(server.history('run1'))).toEqual(tens(10, 100));
  });

  it('that never answers holds up nothing; the end waits as long as allowed and names the folder to sync', async () => {
    server.fault = () => 'never';
    const { warnings, notes } = await report({ lastStep: 50 }, { pacing: { finishLimit: 300 } });
    expect(warnings).toEqual([
      expect.stringMatching(/^Not everything reached W&B.*All of it is in .*run1; send it with: wandb sync /),
    ]);
    expect(notes.some((note) => /^W&B: 5 rows left to send, \d+ s of at most 0.3 s$/.test(note))).toBe(true);
    expect(await loggedSteps(folders()[0]!)).toEqual(tens(10, 50));
  });

  it('that refuses the key is told about once, and the file holds the run', async () => {
    server.fault = () => 401;
    const { warnings } = await report();
    expect(warnings[0]).toMatch(/Expected http.* to take the run, but it answered 401/);
    expect(await loggedSteps(folders()[0]!)).toEqual([10, 20, 30]);
    expect(warnings.join()).not.toContain(apiKey);
  });
});

describe('a resumed run', () => {
  it('continues the same W&B run and sends no step twice', async () => {
    await report({ lastStep: 50, ends: false });
    await report({ firstStep: 31, lastStep: 80 });
    expect([...server.runs.keys()]).toEqual(['run1']);
    expect(steps(server.history('run1'))).toEqual(tens(10, 80));
    expect(server.runs.get('run1')!.repeated).toBe(0);
  });

  it('sends what the server missed before it', async () => {
    server.fault = () => 'never';
    await report({ lastStep: 50, ends: false }, { pacing: { finishLimit: 50 } });
    server.fault = () => undefined;
    await report({ firstStep: 41, lastStep: 80 });
    expect(steps(server.history('run1'))).toEqual(tens(10, 80));
  });

  it('offline: its newest folder holds the whole run', async () => {
    const offline = { settings: { mode: 'offline', apiKey: undefined } as const };
    await report({ lastStep: 50, ends: false }, offline);
    const { notes } = await report({ firstStep: 31, lastStep: 80 }, offline);
    const newest = folders().sort().at(-1)!;
    expect(await loggedSteps(newest)).toEqual(tens(10, 80));
    expect(notes.at(-1)).toContain(`wandb sync ${join(dir, 'wandb', newest)}`);
  });

  it('with WANDB_RESUME=must and no such run: a warning, and the file', async () => {
    const { warnings } = await report({}, { settings: { resume: 'must' } });
    expect(warnings[0]).toContain('WANDB_RESUME is "must"');
    expect(await loggedSteps(folders()[0]!)).toEqual([10, 20, 30]);
  });
});

it('a file cut off by kill -9 can be read to where it was written', async () => {
  const script = new URL('./killed.child.ts', import.meta.url);
  const { signal } = await runChild(script, [dir]);
  expect(signal).toBe('SIGKILL');
  const found = await loggedSteps(folders()[0]!);
  expect(found).toEqual(tens(10, 10 * found.length));
  expect(found.length).toBeGreaterThan(0);
});

it('a key is found in no file, note, warning or process list', async () => {
  const previous = process.env['WANDB_API_KEY'];
  process.env['WANDB_API_KEY'] = apiKey;
  try {
    server.fault = ({ number }) => (number > 4 ? 401 : undefined);
    const { warnings, notes } = await report({ config: { leaked: `key ${apiKey}` } });
    const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name));
    const read = files.filter((file) => existsSync(file) && statSync(file).isFile());
    expect(read.length).toBeGreaterThan(0);
    for (const file of read) expect(readFileSync(file).includes(apiKey), file).toBe(false);
    for (const file of read)
      expect(readFileSync(file).includes(Buffer.from(`api:${apiKey}`).toString('base64'))).toBe(false);
    expect([...warnings, ...notes].join('\n')).not.toContain(apiKey);
    if (process.platform === 'linux') {
      expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(apiKey);
    }
  } finally {
    if (previous === undefined) delete process.env['WANDB_API_KEY'];
    else process.env['WANDB_API_KEY'] = previous;
  }
});
