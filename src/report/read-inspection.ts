import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Comparison, InspectedRow, SampleAnswer, TokenJudgements } from '../events/token-record.js';
import { packInspection } from './pack-inspection.js';
import type { RunReport } from './run-report.js';

type Inspected = Pick<RunReport, 'inspection' | 'comparison' | 'answers'>;

/**
 * Reads the folder `inspection` of a run. What is not there is absent.
 * @param notes gets a sentence for what could not be read
 */
export async function readInspection(dir: string, notes: string[]): Promise<Inspected> {
  const found: Inspected = {};
  if (!existsSync(dir)) return found;
  const rows = await readLines<InspectedRow>(join(dir, 'rows.jsonl'), notes);
  if (rows !== undefined) {
    const before = await readLines<TokenJudgements>(join(dir, 'before.jsonl'), notes);
    const after = await readLines<TokenJudgements>(join(dir, 'after.jsonl'), notes);
    if (before !== undefined || after !== undefined) found.inspection = packInspection(rows, before, after);
  }
  const comparison = await readWhole<Comparison>(join(dir, 'comparison.json'), notes);
  if (comparison !== undefined) found.comparison = comparison;
  const answers = await readWhole<SampleAnswer[]>(join(dir, 'answers.json'), notes);
  if (answers !== undefined) found.answers = answers;
  return found;
}

async function readWhole<Value>(file: string, notes: string[]): Promise<Value | undefined> {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Value;
  } catch (error) {
    notes.push(`${file} could not be read: ${(error as Error).message}.`);
    return undefined;
  }
}

async function readLines<Value>(file: string, notes: string[]): Promise<Value[] | undefined> {
  if (!existsSync(file)) return undefined;
  const values: Value[] = [];
  let unreadable = 0;
  // A line may be longer than readline likes; the file is bounded by the number of rows that are inspected.
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    if (line.trim() === '') continue;
    try {
      values.push(JSON.parse(line) as Value);
    } catch {
      unreadable++;
    }
  }
  if (unreadable > 0) notes.push(`${unreadable} lines of ${file} are no JSON and were passed over.`);
  return values;
}
