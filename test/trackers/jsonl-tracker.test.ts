import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JsonlTracker } from '../../src/trackers/jsonl-tracker.js';
import { redactSecrets } from '../../src/common/redact-secrets.js';
import type { WarningEvent } from '../../src/events/training-event.js';
import { events } from './terminal/events.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'jsonl-tracker-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const linesOf = async (file: string) => (await readFile(file, 'utf8')).split('\n');

describe('JsonlTracker', () => {
  it('writes one object a line, in order, with the time', async () => {
    const tracker = new JsonlTracker(path.join(folder, 'new', 'out'));
    tracker.onEvent(events.start);
    for (let step = 1; step <= 20; step++) tracker.onEvent(events.step(step));
    tracker.onEvent(events.end);
    await tracker.close();
    const lines = await linesOf(path.join(folder, 'new', 'out', 'metrics.jsonl'));
    expect(lines.pop()).toBe('');
    const read = lines.map((line) => JSON.parse(line) as { time: string; type: string; step?: number });
    expect(read.map(({ type }) => type)).toEqual(['start', ...Array<string>(20).fill('step'), 'end']);
    expect(read[5]!.step).toBe(5);
    const { time, ...event } = read[1]!;
    expect(event).toEqual(events.step(1));
    expect(Date.now() - Date.parse(time)).toBeLessThan(60_000);
  });

  it('appends to an earlier run, also to one that was killed inside a line', async () => {
    const file = path.join(folder, 'metrics.jsonl');
    await writeFile(file, '{"type":"start"}\n{"type":"st');
    const tracker = new JsonlTracker(folder);
    tracker.onEvent(events.start);
    await tracker.close();
    const lines = await linesOf(file);
    expect(lines.slice(0, 2)).toEqual(['{"type":"start"}', '{"type":"st']);
    expect(JSON.parse(lines[2]!)).toMatchObject({ type: 'start', steps: 40 });
  });

  it('writes an event as it was when it came', async () => {
    const tracker = new JsonlTracker(folder);
    const event = events.step(1);
    tracker.onEvent(event);
    event.loss = 99;
    await tracker.close();
    expect(JSON.parse((await linesOf(tracker.file))[0]!)).toMatchObject({ loss: 2.34567 });
  });

  it('writes null for numbers that JSON lacks', async () => {
    const tracker = new JsonlTracker(folder);
    tracker.onEvent({ ...events.step(1), loss: NaN, gradNorm: Infinity });
    await tracker.close();
    expect(JSON.parse((await linesOf(tracker.file))[0]!)).toMatchObject({ loss: null, gradNorm: null });
  });

  it('turns a failure to write into one warning', async () => {
    const file = path.join(folder, 'file');
    await writeFile(file, '');
    const warnings: WarningEvent[] = [];
    const tracker = new JsonlTracker(file, { onWarning: (warning) => warnings.push(warning) });
    tracker.onEvent(events.start);
    tracker.onEvent(events.step(1));
    await tracker.close();
    tracker.onEvent(events.step(2));
    await tracker.close();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.code).toBe('METRICS_NOT_WRITTEN');
    expect(warnings[0]!.message).toContain(path.join(file, 'metrics.jsonl'));
  });

  it('makes no file without an event, and closes twice', async () => {
    const tracker = new JsonlTracker(folder);
    await tracker.close();
    await tracker.close();
    await expect(readFile(tracker.file)).rejects.toThrow('ENOENT');
  });

  it('never writes a token', async () => {
    vi.stubEnv('WANDB_API_KEY', '0123456789abcdef');
    const tracker = new JsonlTracker(folder);
    const message = `failed with hf_${'a'.repeat(34)} and 0123456789abcdef`;
    tracker.onEvent({ type: 'warning', code: 'X', message });
    await tracker.close();
    const text = await readFile(tracker.file, 'utf8');
    expect(JSON.parse(text)).toMatchObject({ message: 'failed with [redacted] and [redacted]' });
  });
});

describe('redactSecrets', () => {
  it('leaves ordinary text alone', () => {
    expect(redactSecrets('hf_model trained', { HF_TOKEN: '', WANDB_API_KEY: 'model' })).toBe(
      'hf_model trained',
    );
  });
});
