// What docs/ranks.md works out for GPUs, by the model that bench:ranks compares with runs over throttled links.
import { readFileSync } from 'node:fs';
import {
  backwardParts,
  exposedSeconds,
  parameterCount,
  type ModelShape,
} from '../../bench/ranks/step-model.js';
import { root } from './comments.js';

/** Of published models. */
const shapes: [string, ModelShape][] = [
  [
    'Llama 3.2 1B',
    { layers: 16, hidden: 2048, intermediate: 8192, keyValue: 512, vocab: 128_256, tied: true },
  ],
  [
    'Llama 3.2 3B',
    { layers: 28, hidden: 3072, intermediate: 8192, keyValue: 1024, vocab: 128_256, tied: true },
  ],
  [
    'Llama 3.1 8B',
    { layers: 32, hidden: 4096, intermediate: 14_336, keyValue: 1024, vocab: 128_256, tied: false },
  ],
  [
    'Llama 2 13B',
    { layers: 40, hidden: 5120, intermediate: 13_824, keyValue: 5120, vocab: 32_000, tied: false },
  ],
  [
    'Llama 3.1 70B',
    { layers: 80, hidden: 8192, intermediate: 28_672, keyValue: 1024, vocab: 128_256, tied: false },
  ],
];

/** Measured: products of bfloat16 on a Hopper GPU, operations per second; and the share of it that training reaches. */
const rate = 790e12 * 0.4;
const tokensPerGpu = 8192;
/** Bytes per second that a GPU sends: to others of its host, and to those of other hosts. */
const inHost = 300e9;
const columns: [string, number, number][] = [
  ['8 GPUs, one host', 8, inHost],
  ['64, 400 Gbit/s', 64, 50e9],
  ['64, 100 Gbit/s', 64, 12.5e9],
  ['1,024, 400 Gbit/s', 1024, 50e9],
  ['1,024, 100 Gbit/s', 1024, 12.5e9],
];

/** Step times by model and GPUs, and what a GPU holds. */
function timesTable(): string {
  const header = [
    'model',
    'weights',
    'memory',
    'with `zeroStage: 2` on 64',
    'computing',
    ...columns.map(([name]) => name),
  ];
  const rows = shapes.map(([name, shape]) => {
    const parameters = parameterCount(shape);
    const computing = (6 * parameters * tokensPerGpu) / rate;
    const parts = backwardParts(shape, (2 / 3) * computing);
    const steps = columns.map(([, gpus, bandwidth]) => {
      const step = computing + exposedSeconds(parts, gpus, bandwidth);
      return `${seconds(step)} (${percent(computing / step)})`;
    });
    const gigabytes = (bytes: number) => `${Math.round((bytes * parameters) / 1e9).toLocaleString('en')} GB`;
    return [
      ...[
        name,
        `${(parameters / 1e9).toFixed(1)} B`,
        gigabytes(18),
        gigabytes(2 + 16 / 64),
        seconds(computing),
      ],
      ...steps,
    ];
  });
  return markdown(header, rows);
}

/** What windows of several micro-batches make of it: the efficiency of the middle model on 64 GPUs. */
function windowsTable(): string {
  const windows = [1, 2, 4, 8, 16];
  const [name, shape] = shapes[2]!;
  const computing = (6 * parameterCount(shape) * tokensPerGpu) / rate;
  const parts = backwardParts(shape, (2 / 3) * computing);
  const rows = columns.slice(1, 3).map(([column, gpus, bandwidth]) => {
    const exposed = exposedSeconds(parts, gpus, bandwidth);
    return [
      `${name}, ${column}`,
      ...windows.map((count) => percent((count * computing) / (count * computing + exposed))),
    ];
  });
  return markdown(['micro-batches in a step', ...windows.map(String)], rows);
}

/** docs/ranks.md with its tables made anew. */
export function ranksPage(): string {
  let page = readFileSync(`${root}docs/ranks.md`, 'utf8');
  for (const [name, table] of [
    ['times', timesTable()],
    ['windows', windowsTable()],
  ] as const) {
    const place = new RegExp(`(<!-- ${name}: npm run docs -->\\n)[^]*?(<!-- /${name} -->)`);
    if (!place.test(page)) throw new Error(`Expected <!-- ${name}: npm run docs --> in docs/ranks.md.`);
    page = page.replace(place, (_, begin: string, end: string) => `${begin}\n${table}\n${end}`);
  }
  return page;
}

function markdown(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('');
}

function seconds(value: number): string {
  return `${value >= 10 ? value.toFixed(0) : value.toPrecision(2)} s`;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
