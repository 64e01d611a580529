import { dataFileKind } from '../../common/data-file-kind.js';
import { oneFormat } from './one-format.js';

const keywords: [string, string[]][] = [
  ['train', ['train', 'training']],
  ['validation', ['validation', 'valid', 'dev', 'val']],
  ['test', ['test', 'testing', 'eval', 'evaluation']],
];
const noData = ['config.json', 'dataset_info.json', 'dataset_infos.json', 'dataset_dict.json'];
const between = '[-._ 0-9]';

/**
 * The data files of a dataset's repository by split, by the naming rules of `datasets`: `data/<split>-00000-of-00001.…`
 * for any split, else a folder that is named after a split, else files that are, else everything is `train`.
 * @param paths what lies in the repository
 * @param base the folder to look in, without a slash at the end; empty: the whole repository
 */
export function hubSplits(paths: readonly string[], base = ''): Map<string, string[]> {
  const start = base === '' ? '' : `${base}/`;
  const files = paths.filter((path) => path.startsWith(start) && isData(path.slice(start.length)));
  const inside = (path: string) => path.slice(start.length);
  for (const splitsOf of [shardSplit, folderSplits, fileSplits, () => ['train']]) {
    const found = new Map<string, string[]>();
    for (const path of files) {
      for (const split of splitsOf(inside(path))) found.set(split, [...(found.get(split) ?? []), path]);
    }
    if (found.size > 0) return oneFormat(found);
  }
  return new Map();
}

function isData(path: string): boolean {
  const parts = path.split('/');
  const name = parts.at(-1)!;
  const isUnusual =
    parts.some((part) => part.startsWith('.')) || parts.slice(0, -1).some((part) => part.startsWith('__'));
  return !isUnusual && !noData.includes(name) && dataFileKind(name) !== undefined;
}

function shardSplit(path: string): string[] {
  const split = /^data\/(\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*\.[^/]*$/.exec(path)?.[1];
  return split === undefined ? [] : [split];
}

function folderSplits(path: string): string[] {
  const folders = path.split('/').slice(0, -1);
  return splitsWhere((word) => {
    const named = new RegExp(`^(.*${between})?${word}(${between}.*)?$`);
    return folders.some((folder) => named.test(folder));
  });
}

function fileSplits(path: string): string[] {
  const name = path.split('/').at(-1)!;
  return splitsWhere((word) => new RegExp(`^(.*${between})?${word}${between}.*$`).test(name));
}

function splitsWhere(isNamed: (word: string) => boolean): string[] {
  return keywords.filter(([, words]) => words.some(isNamed)).map(([split]) => split);
}
