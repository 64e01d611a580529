import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvalReport } from '../../src/events/eval-report.js';
import type { InspectReport } from '../../src/events/inspect-report.js';
import type { ReportData } from '../../src/report/run-report.js';
import { sums, sumsModel } from '../inspect/sums-run.js';
import { runCommand } from './run-command.js';

let folder: string;
let config: string;
let model: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'cli-eval-'));
  model = sumsModel(folder);
  const rows = path.join(folder, 'sums.jsonl');
  writeFileSync(
    rows,
    sums(0, 60)
      .map((row) => `${JSON.stringify(row)}\n`)
      .join(''),
  );
  config = path.join(folder, 'config.json');
  const data = { ideas: [rows] };
  writeFileSync(
    config,
    JSON.stringify({ model_name: model, output_dir: path.join(folder, 'out'), datasets_config: data }),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) => runCommand('src/cli/main.ts', args);
const dataOf = (page: string) =>
  JSON.parse(/<script[^>]*type="application\/json"[^>]*>(.*?)<\/script>/s.exec(page)![1]!) as ReportData;

describe('adaptive-trainer eval', () => {
  it('prints a table, or the report, and writes a page with every token', async () => {
    const text = await run('eval', model, config);
    expect(text.status).toBe(0);
    expect(text.stdout).toContain('general text (to keep)');
    expect(text.stdout).toContain('perplexity');
    const page = path.join(folder, 'eval.html');
    const other = sumsModel(folder, 2);
    const { stdout, status } = await run('eval', model, config, '--against', other, '--json', '--page', page);
    expect(status).toBe(0);
    const report = JSON.parse(stdout) as EvalReport;
    expect(text.stdout).toContain(Number(report.metrics.loss.toPrecision(4)).toString());
    const { kind, runs } = dataOf(readFileSync(page, 'utf8'));
    expect(kind).toBe('eval');
    expect(runs[0]!.comparison).toEqual(report.against!.comparison);
    expect(runs[0]!.evaluations[0]!.loss).toBe(report.metrics.loss);
    expect(runs[0]!.inspection!.rows.length).toBe(report.rows + 16);
    expect(runs[0]!.inspection!.after!.length).toBe(report.rows + 16);
  });

  it('says what is wrong with a command line', async () => {
    const rows = await run('eval', model, config, '--rows', '0');
    expect(rows.status).toBe(2);
    expect(rows.stderr).toContain('Expected a whole number above 0, or all, after --rows but received "0".');
    const few = await run('eval', config);
    expect(few.status).toBe(2);
    expect(few.stderr).toContain('<model>');
    const same = await run('eval', model, config, '--against', 'base');
    expect(same.status).toBe(1);
    expect(same.stderr).toContain('final_model');
    expect(existsSync(path.join(folder, 'out'))).toBe(false);
  });
});

describe('adaptive-trainer inspect', () => {
  it('prints what it suggests and why, or the report, and writes a page', async () => {
    const text = await run('inspect', model, config, '--rows', '20');
    expect(text.status).toBe(0);
    expect(text.stdout).toMatch(/suggested: |as configured: /);
    expect(text.stdout).toContain('first 32');
    expect(text.stdout).toContain('at most 20 training rows');
    const page = path.join(folder, 'inspect.html');
    const { stdout } = await run('inspect', model, config, '--rows', 'all', '--json', '--page', page);
    const report = JSON.parse(stdout) as InspectReport;
    expect(report.datasets[0]!.judgedRows).toBe(report.datasets[0]!.trainRows);
    const { kind, runs } = dataOf(readFileSync(page, 'utf8'));
    expect(kind).toBe('inspect');
    expect(runs[0]!.inspect).toEqual(report);
    expect(runs[0]!.inspection!.rows.length).toBe(report.datasets[0]!.trainRows);
  });
});
