import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { closedAnswers } from '../../src/data/closed-answers.js';
import { previewDatasets } from '../../src/data/preview-datasets.js';
import type { LearningStyle } from '../../src/events/learning-style.js';
import { trainAdaptively } from '../../src/train-adaptively.js';
import { validateConfig } from '../../src/validate/validate-config.js';
import { tempDir } from '../helpers/temp-dir.js';
import { openTokenizer } from '../tokenizer/open-tokenizer.js';

const loss = { loss: 'adaptive', topK: 8 } as const;

/** Rows with a prompt of two tokens and one of `kinds` answers of `length` tokens. */
function rows(count: number, kinds: number, length = 2, learningStyle: LearningStyle = 'ideas') {
  return Array.from({ length: count }, (_, row) => {
    const answer = Array.from({ length }, (_, at) => 10 + (row % kinds) + at);
    const labels = [-100, -100, ...answer];
    return { inputIds: [1, 2, ...answer], labels, learningStyle, source: 'kinds' };
  });
}

describe('few and short answers', () => {
  it('are told of where they are learned as ideas with a large topK', () => {
    expect(closedAnswers(rows(200, 25), loss)).toEqual([
      expect.stringMatching(
        /^Dataset "kinds" has few and short answers: 25 different ones in 200 rows, 2.0 tokens each. As ideas with topK 8/,
      ),
    ]);
    expect(closedAnswers(rows(5000, 25), loss)).toHaveLength(1);
  });

  it.each([
    ['a strict topK', rows(200, 25), { ...loss, topK: 1 }],
    ['another loss', rows(200, 25), { ...loss, loss: 'ce' }],
    ['attention', rows(200, 25, 2, 'attention'), loss],
    ['long answers', rows(200, 25, 9), loss],
    ['many answers', rows(200, 100), loss],
    ['few rows', rows(20, 2), loss],
    ['no rows', [], loss],
  ] as const)('are not told of: %s', (_, some, of) => {
    expect(closedAnswers(some, of)).toEqual([]);
  });

  it('are told of by dataset', () => {
    const others = rows(200, 100, 20).map((row) => ({ ...row, source: 'texts' }));
    const notes = closedAnswers([...others, ...rows(200, 5)], loss);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('"kinds"');
  });

  it('are seen by preview, validate and train', async () => {
    const dir = tempDir();
    const file = join(dir, 'kinds.jsonl');
    const lines = Array.from({ length: 60 }, (_, row) =>
      JSON.stringify({ user: `What is number ${row}?`, assistant: row % 2 ? 'odd' : 'even' }),
    );
    writeFileSync(file, lines.join('\n'));
    const datasetsConfig = { ideas: [file] };
    const note = /few and short answers: 2 different ones in \d+ rows/;
    const told: string[] = [];
    const onWarning = (message: string) => void told.push(message);
    const tokenizer = await openTokenizer('seed');
    await previewDatasets({ datasetsConfig, tokenizer, adaptiveLoss: loss, onWarning });
    await previewDatasets({ datasetsConfig, tokenizer, adaptiveLoss: { ...loss, topK: 1 }, onWarning });
    expect(told.filter((message) => note.test(message))).toHaveLength(1);
    expect(told[0]).toContain('(datasetsConfig.ideas[0])');

    const config = {
      modelName: 'examples/seed-lm',
      outputDir: join(dir, 'out'),
      datasetsConfig,
      trainingConfig: {
        maxSteps: 1,
        batchSize: 2,
        gradientAccumulationSteps: 1,
        threads: 1,
        useWandb: false,
      },
    } as const;
    const { notes } = await validateConfig(config);
    expect(notes.filter((message) => note.test(message))).toHaveLength(1);

    const warned: string[] = [];
    await trainAdaptively(config, {
      progress: false,
      onEvent: (event) => void (event.type === 'warning' && warned.push(`${event.code}: ${event.message}`)),
    });
    expect(warned.filter((message) => message.startsWith('TOP_K: ') && note.test(message))).toHaveLength(1);
  });
});
