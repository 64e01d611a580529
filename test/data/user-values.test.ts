import { expect, test } from 'vitest';
import { JsonNumber } from '../../src/common/json-number.js';
import { losslessJson } from '../../src/common/lossless-json.js';
import { userValues } from '../../src/data/chats/user-values.js';

const text =
  '{"score":1.0,"id":1187263549871234567,"pi":3.14159265358979323846,"messages":[{"role":"user","calls":' +
  '[{"2":"b","1":{"x":1e5,"y":1.50}}]}],"n":7}';

test('a function gets plain numbers where JavaScript holds them', () => {
  const row = userValues.plain(losslessJson.parse(text)) as Record<string, unknown>;
  expect(row).toEqual({
    score: 1,
    id: 1187263549871234567n,
    pi: new JsonNumber('3.14159265358979323846'),
    messages: [{ role: 'user', calls: [{ 1: { x: 100000, y: 1.5 }, 2: 'b' }] }],
    n: 7,
  });
});

test('what it gives back unchanged is as it was in the file', () => {
  const row = userValues.plain(losslessJson.parse(text)) as { messages: { calls: unknown[] }[] };
  expect(losslessJson.stringify(userValues.restored(row))).toBe(text);
  const copied = row.messages.map((message) => ({ ...message, more: true }));
  expect(losslessJson.stringify(userValues.restored(copied))).toBe(
    '[{"role":"user","calls":[{"2":"b","1":{"x":1e5,"y":1.50}}],"more":true}]',
  );
});

test('what it changes is changed', () => {
  const row = userValues.plain(losslessJson.parse(text)) as Record<string, unknown>;
  row['score'] = 2;
  delete row['pi'];
  const calls = (row['messages'] as { calls: Record<string, unknown>[] }[])[0]!.calls[0]!;
  calls['1'] = { x: 100001 };
  expect(losslessJson.stringify(userValues.restored(row))).toBe(
    '{"score":2,"id":1187263549871234567,"messages":[{"role":"user","calls":[{"2":"b","1":{"x":100001}}]}],"n":7}',
  );
});

test('plain rows are not copied', () => {
  const row = { a: 1, b: ['x', { c: null }] };
  expect(userValues.plain(row)).toBe(row);
});
