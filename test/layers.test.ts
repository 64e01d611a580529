import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

/** The floors of src, the ground first. A file imports from its own folder and from the floors below it. */
const floors = [
  ['errors.ts', 'common'],
  ['events'],
  ['engine'],
  ['ranks'],
  ['config'],
  ['hub'],
  ['tokenizer'],
  ['model'],
  ['loss'],
  ['data'],
  ['trainer'],
  ['trackers'],
  ['open'],
  ['validate', 'publish', 'report'],
  ['inspect'],
  ['dashboard'],
  ['train-adaptively.ts'],
  ['index.ts', 'cli'],
];

const sourceFiles = (folder: string, extensions: RegExp) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => extensions.test(name))
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')));

/** Every file of src with the files of src that it imports, types included. */
const imports = new Map(
  sourceFiles('src', /\.ts$/).map((file) => [
    file,
    ts
      .preProcessFile(readFileSync(join(root, file), 'utf8'))
      .importedFiles.map(({ fileName }) => fileName)
      .filter((name) => name.startsWith('.'))
      .map((name) => posix.join(posix.dirname(file), name).replace(/\.js$/, '.ts'))
      .filter((target) => target.startsWith('src/')),
  ]),
);

const room = (file: string) => file.split('/')[1]!;
const floorOf = (file: string) => floors.findIndex((rooms) => rooms.includes(room(file)));

describe('the layers of src', () => {
  it('has a floor for every file', () => {
    expect([...imports.keys()].filter((file) => floorOf(file) < 0)).toEqual([]);
  });

  it('has no import that goes up, or across to another room of the same floor', () => {
    const wrong = [...imports].flatMap(([file, targets]) =>
      targets
        .filter((target) => room(target) !== room(file) && floorOf(target) >= floorOf(file))
        .filter((target) => !(floorOf(file) === 0 && floorOf(target) === 0))
        .filter((target) => !(file === 'src/index.ts' && room(target) !== 'cli'))
        .map((target) => `${file} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('has no circle of files', () => {
    const state = new Map<string, 'open' | 'done'>();
    const circles: string[] = [];
    const visit = (file: string, path: string[]) => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
        return;
      }
      state.set(file, 'open');
      for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
      state.set(file, 'done');
    };
    for (const file of imports.keys()) visit(file, []);
    expect(circles).toEqual([]);
  });
});

describe('the layers of native', () => {
  const files = sourceFiles('native', /\.(h|cpp)$/).map(
    (file) => [file, readFileSync(join(root, file), 'utf8')] as const,
  );
  const outside = (folder: string, words: RegExp) =>
    files.filter(([file, text]) => !file.startsWith(folder) && words.test(text)).map(([file]) => file);

  it('includes napi.h in native/addon alone', () => {
    expect(outside('native/addon/', /[<"]napi\.h[>"]|addon\//)).toEqual([]);
  });

  it('names a device in native/core/ops/cpu alone', () => {
    const device = /\bcpu::|core\/ops\/cpu\/|at::kCPU\b|at::kCUDA\b|CPUGenerator|torch::kCPU\b/;
    expect(outside('native/core/ops/cpu/', device)).toEqual([]);
    // The pattern is one that the folder itself matches.
    expect(files.some(([file, text]) => file.startsWith('native/core/ops/cpu/') && device.test(text))).toBe(
      true,
    );
  });
});
