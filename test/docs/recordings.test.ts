import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { root } from '../../scripts/docs/comments.js';
import { comparable } from '../../scripts/docs/recordings/normalise.js';
import { folder, indexPage, readPage } from '../../scripts/docs/recordings/pages.js';
import type { Recorded } from '../../scripts/docs/recordings/record.js';
import { recordAll } from '../../scripts/docs/recordings/record-all.js';
import { recordings } from '../../scripts/docs/recordings/recordings.js';
import { createProgram } from '../../src/cli/program.js';

const read = (name: string) => readFileSync(join(root, folder, `${name}.md`), 'utf8');
const commands = createProgram().commands.map((command) => command.name());

describe('the recordings', () => {
  it('are of every command, and of no other', async () => {
    expect(recordings.map(({ command }) => command).sort()).toEqual([...commands].sort());
    expect(readdirSync(join(root, folder)).sort()).toEqual(
      [...commands, 'index'].map((name) => `${name}.md`).sort(),
    );
    expect(read('index')).toBe(await indexPage());
  });

  it.each(recordings)('of $command has the lines that are run', ({ command, steps }) => {
    expect(readPage(read(command)).map(({ line }) => line)).toEqual(steps.map(({ line }) => line));
    expect(steps.some(({ line }) => line.includes(`adaptive-trainer ${command}`))).toBe(true);
  });

  it.each(commands)('of %s have no colours and nothing that is drawn over, as in any pipe', (command) => {
    expect(read(command)).not.toContain('\u001b');
    expect(read(command)).not.toContain('\r');
  });

  it.each([...commands, 'index'])('of %s name nothing of the machine that made them', (command) => {
    expect(read(command)).not.toMatch(/\/(tmp|root|opt|work|Users|private|home\/(?!you\b))\/?\b|hf_\w{8}/);
  });
});

describe('what commands print today', () => {
  let today: Map<string, Recorded[]>;
  beforeAll(async () => {
    today = await recordAll(false);
  }, 900_000);

  it.each(recordings)('$command: what its recording says', ({ command, steps }) => {
    const recorded = readPage(read(command)).filter((_, at) => steps[at]!.compare !== 'nothing');
    const now = today.get(command)!;
    expect(now).toHaveLength(recorded.length);
    now.forEach(({ line, output, status, compare = 'text' }, at) => {
      const then = recorded[at]!;
      expect([line, status, comparable(output, compare)]).toEqual([
        ...[then.line, then.status, comparable(then.output, compare)],
      ]);
    });
  });
});
