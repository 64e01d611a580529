import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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
    const read = lines.map(
      (line) => JSON.parse(line) as { time: string; run: string; type: string; step?: number },
    );
    expect(read.map(({ type }) => type)).toEqual(['start', ...Array<string>(20).fill('step'), 'end']);
    expect(read[5]!.step).toBe(5);
    const { time, run, ...event } = read[1]!;
    expect(event).toEqual(events.step(1));
    expect(run).toBe(events.start.runId);
    expect(Date.now() - Date.parse(time)).toBeLessThan(60_000);
  });

  it('appends to an earlier run, also to one that was killed inside a line', async () => {
    const file = path.join(folder, 'metrics.jsonl');
    // Half of a line that is longer than what is read at once.
    await writeFile(file, `{"type":"start"}\n{"type":"st${'.'.repeat(200_000)}`);
    const tracker = new JsonlTracker(folder);
    tracker.onEvent(events.start);
    await tracker.close();
    const lines = await linesOf(file);
    expect(lines[0]).toBe('{"type":"start"}');
    expect(JSON.parse(lines[1]!)).toMatchObject({ type: 'start', steps: 40 });
    expect(lines.slice(2)).toEqual(['']);
  });

  it('names the run in every line, also in those before its start', async () => {
    const tracker = new JsonlTracker(folder);
    tracker.onEvent({ type: 'warning', code: 'EARLY', message: 'before the start' });
    tracker.onEvent(events.start);
    tracker.onEvent(events.step(1));
    await tracker.close();
    const lines = (await linesOf(tracker.file)).slice(0, -1);
    expect(lines.map((line) => (JSON.parse(line) as { run: string }).run)).toEqual(
      Array(3).fill(events.start.runId),
    );
  });

  it('takes out what a resumed run reports again, and nothing else', async () => {
    const other = new JsonlTracker(folder);
    other.onEvent({ ...events.start, runId: 'another' });
    other.onEvent(events.step(9));
    await other.close();
    const killed = new JsonlTracker(folder);
    killed.onEvent(events.start);
    killed.onEvent(events.step(4));
    killed.onEvent({ type: 'save', step: 4, path: 'out/checkpoint-4' });
    killed.onEvent({ ...events.evaluate, step: 4 });
    killed.onEvent(events.step(5));
    killed.onEvent({ type: 'warning', code: 'STEP_SKIPPED', message: 'no number', step: 6 });
    await killed.close();
    await appendFile(killed.file, '{"time":"2026-01-31T09:30:00.000Z","ru');
    const resumed = new JsonlTracker(folder);
    const { runId } = events.start;
    resumed.onEvent({ ...events.start, resumedFrom: { path: 'out/checkpoint-4', step: 4, runId } });
    resumed.onEvent(events.step(5));
    resumed.onEvent(events.end);
    await resumed.close();
    const entries = (await linesOf(killed.file))
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { run: string; type: string; step?: number });
    const [mine, others] = [runId, 'another'].map((id) =>
      entries.filter(({ run }) => run === id).map(({ type, step = 0 }) => `${type} ${step}`),
    );
    expect(others).toEqual(['start 0', 'step 9']);
    expect(mine).toEqual(['start 0', 'step 4', 'save 4', 'start 0', 'step 5', 'end 0']);
    expect(entries).toHaveLength(8);
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

  it('leaves no trace of a run that was refused, nor of what is told after it', async () => {
    const tracker = new JsonlTracker(folder);
    tracker.onEvent({ type: 'warning', code: 'X', message: 'before' });
    tracker.onEvent({ type: 'error', step: 0, epoch: 0, code: 'OUTPUT_DIR_USED', message: 'used' });
    tracker.onEvent({ type: 'warning', code: 'X', message: 'after' });
    await tracker.close();
    await expect(readFile(tracker.file)).rejects.toThrow('ENOENT');
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
