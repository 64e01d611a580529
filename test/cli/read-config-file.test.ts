import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfigFile } from '../../src/cli/read-config-file.js';
import { AdaptiveTrainerError } from '../../src/errors.js';

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'config-file-'));
  file = path.join(folder, 'config.json');
});
afterAll(() => rm(folder, { recursive: true }));

const failure = async (place: string) => {
  const error: unknown = await readConfigFile(place).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!AdaptiveTrainerError.isInstance(error))
    throw new Error(`Expected an error of the library, found ${String(error)}`);
  return error;
};

describe('readConfigFile', () => {
  it('reads JSON, also with a byte order mark', async () => {
    await writeFile(file, '\uFEFF{"a": [1, null]}');
    expect(await readConfigFile(file)).toEqual({ a: [1, null] });
  });

  it('reads YAML where the name of the file says so', async () => {
    const yaml = path.join(folder, 'config.yml');
    await writeFile(
      yaml,
      'base: &base { r: 8 }\npeft_config:\n  <<: *base\nlr: 2e-5 # a number\nbf16: true\nno: text\n',
    );
    expect(await readConfigFile(yaml)).toEqual({
      ...{ base: { r: 8 }, peft_config: { r: 8 }, lr: 2e-5, bf16: true, no: 'text' },
    });
    await writeFile(yaml, 'a: 1\nb:\n  - x\n c: 2\n');
    const error = await failure(yaml);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', details: { line: 4, file: yaml } });
    await writeFile(yaml, 'a: 1\na: 2\n');
    expect((await failure(yaml)).message).toMatch(/line 2, column 1: Map keys must be unique/);
  });

  it.each([
    ['', 1, 1, 'an empty file'],
    ['{"a": 1', 1, 8, 'the end of the file'],
    ['{"a": 1,\n "b": 2,}', 2, 9, '} .*The comma before it is one too many'],
    ['{"a": 1\n "b": 2}', 2, 2, '"b" .*A comma before it may be missing'],
    ["{'a': 1}", 1, 2, "' .*double quotes only"],
    ['{"a": True}', 1, 7, 'True .*null, true and false'],
    ['{"a": NaN}', 1, 7, 'NaN .*no such number'],
    ['{"a": 1} // x', 1, 10, '// .*no comments'],
    ['{\r\n"ä": [1,\r\n2 3]}', 3, 3, '3 '],
    ['{"a": "x\n"}', 1, 9, 'a line break or tab inside a string'],
  ])('finds the fault in %j', async (text, line, column, words) => {
    await writeFile(file, text);
    const error = await failure(file);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.details).toMatchObject({ file, line, column });
    expect(error.message).toMatch(new RegExp(`but found ${words}`));
    expect(error.message).toContain(`at line ${line}, column ${column}.`);
  });

  it('finds a key that is there twice', async () => {
    await writeFile(file, '{"training_config": {\n "seed": 1, "lr": {"seed": 2}, "seed": 3}}');
    const error = await failure(file);
    expect(error.details).toMatchObject({ file, line: 2, column: 32, key: 'seed' });
    expect(error.message).toMatch(/each key once.*"seed" again at line 2, column 32/);
  });

  it.each([
    ['object.mjs', 'export default { a: 1 };'],
    ['function.js', 'module.exports = async () => ({ a: 1 });'],
    ['common.cjs', 'module.exports = { a: 1 };'],
    ['compiled.cjs', 'exports.__esModule = true; exports.default = { a: 1 };'],
    ['typed.ts', 'interface C { a: number }\nconst config: C = { a: 1 };\nexport default config;'],
    ['typed.mts', 'export default async (): Promise<{ a: number }> => ({ a: await Promise.resolve(1) });'],
  ])('runs %s', async (name, text) => {
    const module = path.join(folder, name);
    await writeFile(module, text);
    expect(await readConfigFile(module)).toEqual({ a: 1 });
  });

  it('takes functions of datasets from a script', async () => {
    const module = path.join(folder, 'with-function.ts');
    await writeFile(
      module,
      'export default { datasetsConfig: { dataProcessingFunction: (row: { q: string }) => [row.q, "a"] } };',
    );
    const { datasetsConfig } = (await readConfigFile(module)) as {
      datasetsConfig: { dataProcessingFunction: (row: unknown) => unknown };
    };
    expect(datasetsConfig.dataProcessingFunction({ q: 'b' })).toEqual(['b', 'a']);
  });

  it.each([
    ['named.mjs', 'export const config = {};', 'it exports config; write "export default'],
    ['empty.mjs', '', 'it exports nothing'],
    ['throws.mjs', 'throw new Error("not today");', 'it cannot be loaded: not today'],
    ['syntax.ts', 'export default {', 'it cannot be loaded: '],
    ['fails.mts', 'export default () => { throw new Error("no disk"); };', 'its function failed: no disk'],
  ])('tells what is wrong with %s', async (name, text, message) => {
    const module = path.join(folder, name);
    await writeFile(module, text);
    const error = await failure(module);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', details: { file: module } });
    expect(error.message).toContain(message);
  });

  it('tells of a file that is not there or is a folder', async () => {
    expect(await failure(path.join(folder, 'none.json'))).toMatchObject({ code: 'IO_FAILED' });
    expect((await failure(folder)).message).toContain('it is a folder');
  });
});
