import { cacheDir } from '../../../src/common/cache-dir.js';
import { root } from '../comments.js';
import type { Comparing } from './recordings.js';
import type { Project } from './project.js';

/** What of an output is of one machine or one moment, and what stands in a recording in its place. */
export const rules: readonly { what: string; found: RegExp; written: string }[] = [
  { what: 'an address of a server', found: /http:\/\/127\.0\.0\.1:\d+/g, written: 'http://127.0.0.1:#' },
  {
    what: 'how long something took',
    found: /\b[\d.]+ (min \d\d s|h \d\d min|ms|s)(?![\w/])/g,
    written: '# s',
  },
  {
    what: 'how fast it was',
    found: /[\d,]+ (tok\/s|tokens\/s|thousand million operations)/g,
    written: '# $1',
  },
  // Of an estimate only what follows from shapes stays.
  {
    what: 'memory that a process takes or a machine has',
    found: /(?<!(?:weights|gradients|optimizer|activations|loss chunk|kept numerators) )\b[\d.]+ [MG]iB/g,
    written: '# MiB',
  },
  { what: 'threads', found: /\b\d+ threads?\b/g, written: '# threads' },
  {
    what: 'the system, the processor and its instructions',
    found:
      /^(. (?:system|processor|instruction sets|cores|graphics|GPU driver|cuda:\d+|libtorch for CUDA|CUDA plugin|Node) +).*$/gm,
    written: '$1#',
  },
  {
    what: 'what of it is used',
    found: /\S+ in use, (with|without) bfloat16 instructions/g,
    written: '# in use',
  },
  {
    what: 'the commands that install compilers',
    found: /(sudo )?(apt-get|dnf|apk|brew) [a-z][^`]*/g,
    written: '#',
  },
];

/** An output as it is written down: {@link rules}, and the folder of the project is /home/you/project. */
export function normalise(text: string, { home }: Pick<Project, 'home'>): string {
  const placed = text
    .replaceAll(home, '/home/you')
    // Also by way of the link in it.
    .replaceAll(cacheDir(), '/home/you/.cache/adaptive-trainer')
    .replaceAll(root.replace(/\/$/, ''), '/home/you/adaptive-trainer')
    .replaceAll(process.execPath, 'node');
  return rules.reduce((made, { found, written }) => made.replace(found, written), placed);
}

/** What two recordings of a line must have in common. */
export function comparable(output: string, comparing: Comparing): string {
  const lines = output
    .split('\n')
    // Columns are as wide as their widest number.
    .map((line) => line.replace(/─+/g, '─').replace(/\s+/g, ' ').trimEnd());
  switch (comparing) {
    case 'text':
      return lines.join('\n');
    case 'numbers':
      return lines
        .map((line) => line.replace(/[+−-]?\d[\d.,]*(e-?\d+)?/g, '#').replace(/ +/g, ' '))
        .join('\n');
    case 'beginnings':
      return lines
        .map((line) =>
          line
            .replace(/^[✓!✗] /, '')
            .split(/[ :]/)
            .slice(0, 2)
            .join(' '),
        )
        .join('\n');
    case 'nothing':
      return '';
  }
}
