import type { DatasetLocation } from '../../src/config/datasets/dataset-plan.js';

/** A dataset's repository, what is asked of it, and the files by split that this means. */
export interface DatasetLayout {
  what: string;
  paths: string[];
  readme?: string;
  location?: Partial<DatasetLocation>;
  /** What `load_dataset` is told. */
  python?: Record<string, unknown>;
  expected: Record<string, string[]>;
}

const configs = (yaml: string) => `---\nlicense: mit\nconfigs:\n${yaml}---\n# data\n`;

/** Layouts that real datasets have. The official `datasets` reads the same rows from each, see python-client.test.ts. */
export const datasetLayouts: DatasetLayout[] = [
  { what: 'one file', paths: ['rows.jsonl'], expected: { train: ['rows.jsonl'] } },
  {
    what: 'a file for each split',
    paths: ['train.jsonl', 'test.jsonl', 'LICENSE.txt'],
    expected: { train: ['train.jsonl'], test: ['test.jsonl'] },
  },
  {
    what: 'a file for each split in a folder, under other names',
    paths: ['data/my_training_set.jsonl', 'data/dev-v2.jsonl', 'data/eval.jsonl'],
    expected: {
      train: ['data/my_training_set.jsonl'],
      validation: ['data/dev-v2.jsonl'],
      test: ['data/eval.jsonl'],
    },
  },
  {
    what: 'parts of splits of any name in data',
    paths: [
      'data/train-00000-of-00002.jsonl',
      'data/train-00001-of-00002.jsonl',
      'data/extra-00000-of-00001-a09b74b3ef9c3b56.jsonl',
      'other/train.jsonl',
    ],
    expected: {
      train: ['data/train-00000-of-00002.jsonl', 'data/train-00001-of-00002.jsonl'],
      extra: ['data/extra-00000-of-00001-a09b74b3ef9c3b56.jsonl'],
    },
  },
  {
    what: 'a folder for each split',
    paths: ['train/a.jsonl', 'train/b.jsonl', 'validation/a.jsonl', 'notes.jsonl'],
    expected: { train: ['train/a.jsonl', 'train/b.jsonl'], validation: ['validation/a.jsonl'] },
  },
  {
    what: 'hidden and dunder folders are left out',
    paths: ['train.jsonl', '.cache/train.jsonl', '__old__/train.jsonl'],
    expected: { train: ['train.jsonl'] },
  },
  {
    what: 'words that only contain the name of a split are none',
    paths: ['constraints.jsonl', 'trainer.jsonl'],
    expected: { train: ['constraints.jsonl', 'trainer.jsonl'] },
  },
  {
    what: 'a copy in another format',
    paths: ['train.jsonl', 'test.jsonl', 'train.csv'],
    expected: { train: ['train.jsonl'], test: ['test.jsonl'] },
  },
  {
    what: 'data_dir',
    paths: ['en/train.jsonl', 'de/train.jsonl', 'de/test.jsonl'],
    location: { dataDir: 'de' },
    python: { data_dir: 'de' },
    expected: { train: ['de/train.jsonl'], test: ['de/test.jsonl'] },
  },
  {
    what: 'data_files by split, with patterns',
    paths: ['a/x1.jsonl', 'a/x2.jsonl', 'a/b/x3.jsonl', 'held.jsonl', 'train.jsonl'],
    location: { dataFiles: { train: ['a/**/*.jsonl'], validation: ['h?ld.jsonl'] } },
    python: { data_files: { train: 'a/**/*.jsonl', validation: 'h?ld.jsonl' } },
    expected: { train: ['a/b/x3.jsonl', 'a/x1.jsonl', 'a/x2.jsonl'], validation: ['held.jsonl'] },
  },
  {
    what: 'configurations in the README: the one asked for',
    paths: ['main/train-0.jsonl', 'main/test-0.jsonl', 'socratic/train-0.jsonl'],
    readme: configs(
      '- config_name: main\n  data_files:\n  - split: train\n    path: main/train-*\n  - split: test\n    path: main/test-*\n' +
        '- config_name: socratic\n  data_files: socratic/*\n',
    ),
    location: { configName: 'socratic' },
    python: { name: 'socratic' },
    expected: { train: ['socratic/train-0.jsonl'] },
  },
  {
    what: 'configurations in the README: the default one',
    paths: ['a/train.jsonl', 'b/train.jsonl', 'b/valid.jsonl'],
    readme: configs('- config_name: a\n  data_dir: a\n- config_name: b\n  default: true\n  data_dir: b\n'),
    expected: { train: ['b/train.jsonl'], validation: ['b/valid.jsonl'] },
  },
  {
    what: 'the only configuration, with splits of its own names',
    paths: ['x.jsonl', 'y.jsonl', 'train.jsonl'],
    readme: configs(
      '- config_name: default\n  data_files:\n  - split: train_sft\n    path: [x.jsonl]\n  - split: test_sft\n    path: y.jsonl\n',
    ),
    location: { trainSplit: 'train_sft', valSplit: 'test_sft' },
    expected: { train_sft: ['x.jsonl'], test_sft: ['y.jsonl'] },
  },
];
