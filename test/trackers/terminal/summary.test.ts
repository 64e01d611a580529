import { describe, expect, it } from 'vitest';
import { format } from '../../../src/common/format.js';
import { renderSummary } from '../../../src/trackers/terminal/summary.js';
import { finalEvaluation } from '../../../src/trackers/final-evaluation.js';
import { renderTable } from '../../../src/common/table.js';
import { events } from './events.js';

describe('renderTable', () => {
  it('aligns text to the left and numbers to the right', () => {
    const rows = [
      ['one', '1'],
      ['a longer name', '1,000.5'],
      ['none', ''],
    ];
    expect(renderTable(['name', 'value'], rows)).toBe(
      [
        'name             value',
        '─────────────  ───────',
        'one                  1',
        'a longer name  1,000.5',
        'none',
      ].join('\n'),
    );
  });

  it('counts wide characters and colours as wide as they look', () => {
    const [, , first, second] = renderTable(
      ['a', 'b'],
      [
        ['日本', 'x'],
        ['\u001b[31mred\u001b[39m', 'y'],
      ],
    ).split('\n');
    expect(first).toBe('日本  x');
    expect(second).toBe('\u001b[31mred\u001b[39m   y');
  });

  it('takes no rows and short rows', () => {
    expect(renderTable(['a', 'b'], [])).toBe('a  b\n─  ─');
    expect(renderTable(['a', 'b'], [['x']])).toBe('a  b\n─  ─\nx');
  });
});

describe('renderSummary', () => {
  it('tells of the run', () => {
    const lines = renderSummary(events.end)
      .split('\n')
      .map((line) => line.replace(/\s{2,}/, ': '));
    expect(lines.slice(2)).toEqual([
      'steps: 40',
      'epochs: 2',
      'time: 1 h 02 min',
      'mean training loss: 1.988',
      'tokens: 24,120 (8,000 of them trained on)',
      'speed: 1,200 tokens/s',
      'peak memory: 1.60 GiB',
      'model: out/final_model',
    ]);
  });

  it('tells of the best model and of a run that stopped early, with the evaluation of the best', () => {
    const end = {
      ...events.end,
      ...{ best: { step: 20, metric: 'loss', value: 1.5 }, stoppedEarly: true as const },
    };
    const evaluations = [20, 40].map((step) => ({ ...events.evaluate, step }));
    const text = renderSummary(end, finalEvaluation(evaluations, end));
    expect(text).toMatch(/steps +40 \(stopped early\)\n/);
    expect(text).toMatch(/best model +step 20 \(loss 1\.5\d*\)\n/);
    expect(text).toMatch(/best evaluation .*\n.*\nall \(step 20\)/);
    expect(renderSummary(events.end, finalEvaluation(evaluations, events.end))).toMatch(
      /last evaluation .*\n.*\nall \(step 40\)/,
    );
  });

  it('tells how far the model has moved from its base, before the folder', () => {
    const lines = renderSummary(events.end, { ...events.evaluate, forgetting: 0.0312 }).split('\n\n')[0]!;
    expect(lines).toMatch(/forgetting\s+0\.0312 nats\/token from the base model\nmodel/);
  });

  it('tells of the last evaluation by style and by dataset', () => {
    const { type: _type, bySource: _bySource, byStyle: _byStyle, ...metrics } = events.evaluate;
    const text = renderSummary(events.end, {
      ...events.evaluate,
      byStyle: { ideas: { ...metrics, loss: 1.25 } },
      bySource: { wordnet: { ...metrics, rows: 30 } },
    });
    expect(text).toMatch(/all \(step 20\)\s+50\s+900\s+1\.5\s+4\.482\s+61%\s+83%\s+17%/);
    expect(text).toMatch(/style ideas\s+50\s+900\s+1\.25/);
    expect(text).toMatch(/wordnet\s+30/);
  });
});

describe('format', () => {
  it.each([
    [0, '0.0 s'],
    [9.94, '9.9 s'],
    [9.96, '10 s'],
    [59.6, '1 min 00 s'],
    [3599.7, '1 h 00 min'],
    [86_399, '1 d 00 h'],
    [NaN, '–'],
  ])('%d seconds as %s', (seconds, text) => {
    expect(format.duration(seconds)).toBe(text);
  });

  it.each([
    [2e-5, '2e-5'],
    [1.9512e-5, '1.95e-5'],
    [1, '1e+0'],
    [0, '0'],
  ])('the rate %d as %s', (rate, text) => {
    expect(format.rate(rate)).toBe(text);
  });

  it.each([
    [0.012345, '0.01235'],
    [1234.5, '1235'],
    [2, '2'],
    [-0.5, '-0.5'],
    [Infinity, '–'],
  ])('the loss %d as %s', (loss, text) => {
    expect(format.loss(loss)).toBe(text);
  });
});
