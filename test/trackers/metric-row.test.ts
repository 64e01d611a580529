import { expect, it } from 'vitest';
import { metricRow } from '../../src/trackers/metric-row.js';
import { events } from './terminal/events.js';

it('has the figures of retention where there are any', () => {
  const log = { ...events.log(10), divergence: 0.1, retentionWeight: 2, forgetting: 0.3 };
  expect(metricRow(log)).toMatchObject({
    'train/divergence': 0.1,
    'train/retention_weight': 2,
    'train/forgetting': 0.3,
  });
  expect(metricRow({ ...events.evaluate, forgetting: 0.2 })).toMatchObject({ 'eval/forgetting': 0.2 });
  const names = [metricRow(events.log(10)), metricRow(events.evaluate)].flatMap((row) => Object.keys(row!));
  expect(names.filter((name) => /forgetting|divergence|retention/.test(name))).toEqual([]);
});
