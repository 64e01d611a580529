import { request } from 'node:http';
import { basename } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Dashboard } from '../../src/dashboard/dashboard.js';
import type { TrainingEvent } from '../../src/events/training-event.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';
import { openTokenizer } from '../tokenizer/open-tokenizer.js';

const vocabSize = 4096; // of the example tokenizer
let dir: string;
beforeAll(() => void (dir = writeTinyModel(tempDir(), { vocab_size: vocabSize })));
const trainDataset = trainingRows(240, vocabSize);
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

/** A run of sixty steps that waits after its second one, with its dashboard. */
async function watchedRun() {
  const outputDir = tempDir();
  const dashboard = await Dashboard.open({ outputDir });
  const model = await CausalLM.fromPretrained(dir);
  const trainer = new AdaptiveTrainer({
    model,
    tokenizer: await openTokenizer('seed'),
    trainDataset,
    outputDir,
    args: plainArgs,
    callbacks: [{ onStepEnd: ({ step }, { control }) => void (step === 2 && control.pause()) }, dashboard],
    trackers: [dashboard],
    signal: dashboard.signal,
  });
  const ended = trainer.train().finally(() => model.dispose());
  const site = new Site(dashboard.url);
  while (!trainer.control.isPaused) await turn();
  return { trainer, dashboard, ended, site };
}

/** What a browser does with the page. */
class Site {
  readonly origin: string;
  readonly token: string;
  constructor(readonly url: string) {
    const parsed = new URL(url);
    this.origin = parsed.origin;
    this.token = parsed.searchParams.get('token')!;
  }

  async post(action: string, body?: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.origin}/${action}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, origin: this.origin },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, ...((await response.json()) as object) };
  }

  /** Events until the stream ends; `onState` is told states. */
  async events(after = 0, onState: (state: string) => void = () => {}): Promise<TrainingEvent[]> {
    const response = await fetch(`${this.origin}/events?token=${this.token}&after=${after}`);
    let text = '';
    const events: TrainingEvent[] = [];
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
      text += part;
      const messages = text.split('\n\n');
      text = messages.pop()!;
      for (const message of messages) {
        const data = /^data: (.*)$/m.exec(message)?.[1];
        if (data === undefined) continue;
        if (message.startsWith('event: state')) onState((JSON.parse(data) as { state: string }).state);
        else events.push(JSON.parse(data) as TrainingEvent);
      }
    }
    return events;
  }
}

/** A request with any headers, which fetch would not send. */
function status(url: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, method, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
      response.destroy();
    });
    sent.on('error', reject).end();
  });
}

describe('the dashboard of a run', () => {
  it('sends every event, pauses, saves, asks the model, resumes; closing a page changes nothing', async () => {
    const { trainer, dashboard, ended, site } = await watchedRun();
    const states: string[] = [];
    const seen = site.events(0, (state) => states.push(state));
    const closed = new AbortController();
    await fetch(`${site.origin}/events?token=${site.token}`, { signal: closed.signal });
    closed.abort();
    expect(await site.post('save')).toMatchObject({ ok: true });
    const asked = await site.post('ask', { prompt: 'Hello?' });
    expect(asked).toMatchObject({ ok: true, answer: expect.any(String) as string });
    // While it waits, the model is the one that the checkpoint holds.
    const again = await site.post('ask', { prompt: 'Hello?' });
    expect(again['answer']).toBe(asked['answer']);
    expect(trainer.control.isPaused).toBe(true);
    expect(await site.post('ask', { prompt: 7 })).toMatchObject({
      status: 400,
      error: expect.stringMatching(/prompt/) as string,
    });
    await site.post('resume');
    await ended;
    const events = await seen;
    expect(events.filter(({ type }) => type === 'step')).toHaveLength(60);
    expect(events.at(-1)!.type).toBe('end');
    expect(states.at(-1)).toBe('ended');
    expect(states).toContain('answering');
    await dashboard.close();
  });

  it('stops the run with a checkpoint', async () => {
    const { ended, site } = await watchedRun();
    expect(await site.post('stop')).toMatchObject({ ok: true });
    const error = await errorOf(() => ended, 'ABORTED');
    expect(basename(String(error.details.checkpoint))).toBe('checkpoint-2');
  });

  it('serves its page, and events after one that is known', async () => {
    const { trainer, ended, site } = await watchedRun();
    const response = await fetch(site.url);
    expect(response.headers.get('content-type')).toContain('text/html');
    expect(await response.text()).toContain(`token=${site.token}`);
    const later = site.events(3);
    trainer.control.resume();
    await ended;
    const types = (await later).map(({ type }) => type);
    expect(types.filter((type) => type === 'step')).toHaveLength(59);
    expect(types).not.toContain('start');
  });

  it('refuses strangers: another token, host or origin, a button as a link, and what is not there', async () => {
    const { trainer, ended, site } = await watchedRun();
    const { origin, token, url } = site;
    const host = new URL(url).host;
    const bearer = { host, authorization: `Bearer ${token}` };
    expect(await status(url, { host })).toBe(200);
    expect(await status(origin, { host })).toBe(403);
    expect(await status(`${origin}/?token=${token}x`, { host })).toBe(403);
    expect(await status(`${origin}/events`, { host })).toBe(403);
    expect(await status(url, { host: 'evil.example' })).toBe(403);
    expect(await status(url, { host: `evil.example:${new URL(url).port}` })).toBe(403);
    expect(await status(`${origin}/resume`, { ...bearer, origin: 'https://evil.example' }, 'POST')).toBe(403);
    expect(await status(`${origin}/resume`, { ...bearer, origin: 'null' }, 'POST')).toBe(403);
    expect(await status(`${origin}/resume?token=${token}`, { host }, 'POST')).toBe(403);
    expect(await status(`${origin}/resume`, bearer, 'GET')).toBe(404);
    expect(await status(`${origin}/constructor`, bearer, 'POST')).toBe(404);
    expect(await status(`${origin}/..%2f..%2fetc/passwd`, bearer)).toBe(404);
    expect(trainer.control.isPaused).toBe(true);
    trainer.stop();
    await ended;
  });

  it('refuses a request that is no JSON, or too long', async () => {
    const { trainer, ended, site } = await watchedRun();
    const headers = { authorization: `Bearer ${site.token}` };
    const bad = await fetch(`${site.origin}/ask`, { method: 'POST', headers, body: '{' });
    expect(bad.status).toBe(400);
    const long = { prompt: 'x'.repeat(300_000) };
    expect(await site.post('ask', long).catch(() => ({ status: 400 }))).toMatchObject({ status: 400 });
    trainer.stop();
    await ended;
  });
});

it('a port that another program has is told of', async () => {
  const first = await Dashboard.open({ outputDir: tempDir() });
  const port = Number(new URL(first.url).port);
  const error = await errorOf(() => Dashboard.open({ outputDir: tempDir(), port }), 'IO_FAILED');
  expect(error.message).toMatch(new RegExp(`port ${port} of 127\\.0\\.0\\.1`));
  await first.close();
  for (const none of [65_536, -1, 1.5])
    await errorOf(() => Dashboard.open({ outputDir: tempDir(), port: none }), 'INVALID_INPUT');
});
