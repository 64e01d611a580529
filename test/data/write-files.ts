import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Makes a new folder with files in it and gives its path. Arrays become JSON Lines. */
export async function writeFiles(
  files: Record<string, string | Buffer | readonly unknown[]>,
): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'data-'));
  for (const [name, content] of Object.entries(files)) {
    const isRows = Array.isArray(content);
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(
      join(dir, name),
      isRows ? content.map((row) => `${JSON.stringify(row)}\n`).join('') : (content as string | Buffer),
    );
  }
  return dir;
}

/** n different question–answer rows. */
export function questions(n: number, prefix = 'q'): { question: string; answer: string }[] {
  return Array.from({ length: n }, (_, index) => ({
    question: `${prefix}${index}?`,
    answer: `${prefix}${index}!`,
  }));
}
