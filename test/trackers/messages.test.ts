import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  hparamsEnd,
  hparamsStart,
  sessionStartEvent,
  summaryEvent,
  versionEvent,
} from '../../src/trackers/tensorboard/event-messages.js';
import { RecordFrame } from '../../src/trackers/tensorboard/record-file.js';
import { decodeRecord, encodeRecord, type WandbRecord } from '../../src/trackers/wandb/wandb-records.js';

/** Written by the official packages: scripts/oracles/trackers.py. */
const official = JSON.parse(
  readFileSync(new URL('../fixtures/trackers/messages.json', import.meta.url), 'utf8'),
) as { wandb: Record<string, string>; tensorboard: Record<string, string>; frame: string };

const records: WandbRecord[] = [
  { type: 'header', producer: 'adaptive-trainer' },
  {
    type: 'run',
    run: {
      id: 'run1',
      entity: 'team',
      project: 'p',
      group: 'g',
      name: 'my run',
      notes: 'n',
      tags: ['a', 'b'],
      host: 'h',
      startTime: 1_700_000_000.25,
      config: { learning_rate: '0.1', name: '"é"' },
      gitRemote: 'https://example.org/r.git',
      gitCommit: 'c0ffee',
      resumed: true,
    },
  },
  {
    type: 'environment',
    environment: {
      os: 'Linux',
      startedAt: 1_700_000_000,
      program: '/p',
      args: ['train', 'c.json'],
      host: 'h',
      executable: '/node',
      cpuCount: 2,
      memoryBytes: 25_276_502_016,
      writerId: 'w',
    },
  },
  { type: 'metric', name: 'train/loss', stepMetric: 'train/global_step', isExpanded: true },
  { type: 'stats', time: 1_700_000_001.5, items: { cpu: '12.5' } },
  { type: 'output', stream: 'stdout', time: 1_700_000_001.5, line: 'hello\n' },
  { type: 'history', step: 300, items: { loss: '0.5', _step: '300' } },
  { type: 'summary', items: { loss: '0.5' } },
  { type: 'exit', exitCode: 1, runtime: 7 },
];

describe('W&B records', () => {
  it.each(records.map((record, index) => ({ record, number: index + 1 })))(
    '$record.type is the bytes of the official client',
    ({ record, number }) => {
      expect(Buffer.from(encodeRecord(record, number)).toString('hex')).toBe(official.wandb[record.type]);
    },
  );

  it.each(records.filter(({ type }) => ['history', 'summary', 'stats', 'output'].includes(type)))(
    '$type is read back as it was',
    (record) => {
      expect(decodeRecord(Buffer.from(official.wandb[record.type]!, 'hex'))).toEqual(record);
    },
  );

  it('other records are passed over', () => {
    expect(decodeRecord(Buffer.from(official.wandb['run']!, 'hex'))).toEqual({ type: 'other' });
  });
});

describe('TensorBoard events', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const start = hparamsStart({ name: '', on: false, rate: 0 }, 1.5);
  it.each([
    ['version', versionEvent(1.7e9)],
    [
      'scalars',
      summaryEvent(1.7e9, 7, [
        { tag: 'train/loss', scalar: 0.1 },
        { tag: 'train/epoch', scalar: 2 },
      ]),
    ],
    ['text', summaryEvent(1.7e9, 0, [{ tag: 'settings', text: 'é | x' }])],
    ['session', sessionStartEvent(1.7e9, 31)],
    ['hparams', summaryEvent(1.7e9, 0, [{ tag: '_hparams_/session_start_info', hparams: start }])],
    ['hparamsEnd', hparamsEnd(true, 2.5).finish()],
  ])('%s is the bytes of the official package', (name, bytes) => {
    expect(hex(bytes)).toBe(official.tensorboard[name]);
  });

  it('a record is framed as the official package frames it', async () => {
    const frame = await RecordFrame.create();
    expect(hex(frame.frame(Buffer.from('123456789')))).toBe(official.frame);
  });
});
