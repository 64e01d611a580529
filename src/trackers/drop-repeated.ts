import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { writeDurably } from '../common/write-durably.js';

/** Events that a run which is resumed reports again. */
const repeated = ['step', 'log', 'adaptive', 'evaluate', 'save', 'warning'];

/** What is looked at of a line. */
interface Entry {
  run?: unknown;
  type?: unknown;
  step?: unknown;
  path?: unknown;
}

/**
 * Takes out of a metrics file what a run reported after the checkpoint that it goes on from, and half a line at its end:
 * the run reports it again. Lines of other runs stay, and those that belong to no step (starts, ends, some warnings).
 * @param step of the checkpoint
 */
export async function dropRepeated(file: string, run: string, step: number): Promise<void> {
  if (!existsSync(file)) return;
  const saved = await lastSave(file, run, step);
  async function* kept() {
    let number = 0;
    for await (const line of linesOf(file)) {
      number++;
      const entry = parse(line);
      // After the line of its save, even what bears the same step was not yet done in the checkpoint.
      const isLater =
        typeof entry?.step === 'number' && (entry.step > step || (entry.step === step && number > saved));
      if (entry === undefined || (entry.run === run && repeated.includes(String(entry.type)) && isLater))
        continue;
      yield `${line}\n`;
    }
  }
  await writeDurably(file, (temporary) => pipeline(kept, createWriteStream(temporary)));
}

/** The number of the line that tells of the checkpoint's save; infinite where the run was killed before it was written. */
async function lastSave(file: string, run: string, step: number): Promise<number> {
  let number = 0;
  let saved = Infinity;
  for await (const line of linesOf(file)) {
    number++;
    const entry = parse(line);
    const isSave = entry?.run === run && entry.type === 'save' && entry.step === step;
    if (isSave && String(entry.path).endsWith(`checkpoint-${step}`)) saved = number;
  }
  return saved;
}

function linesOf(file: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(file), crlfDelay: Infinity });
}

/** undefined for what is no object, such as half a line. */
function parse(line: string): Entry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
