import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { typesNotExported } from './exported-types.js';
import { codeBlocks, installPackage, placeModel, root, runIn } from './install-package.js';
import { resolutions, settings, typeErrors } from './type-check.js';

const { dir, files } = installPackage();
const packageDir = join(dir, 'node_modules/adaptive-trainer');

/** Every block of TypeScript in the documentation. One that begins with a key is a part of the argument of trainAdaptively. */
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true }).map((name) => `docs/${String(name)}`),
];
const blocks = pages
  .filter((page) => page.endsWith('.md'))
  .flatMap((page) => codeBlocks(page, 'ts').map((code, i) => ({ page, code, name: nameOf(page, i) })));

function nameOf(page: string, index: number): string {
  return `${page.replace(/\W+/g, '-')}-${index + 1}.ts`;
}

function whole(code: string): string {
  if (!/^\w+: /.test(code)) return `${code}\nexport {};\n`;
  const input = `const input: Partial<TrainAdaptivelyOptions> = {\n${code.trimEnd()}\n};`;
  return `import { parseConfig, type TrainAdaptivelyOptions } from 'adaptive-trainer';\n${input}\nparseConfig({ modelName: 'm', outputDir: 'o', datasetsConfig: { ideas: ['a'] }, ...input });\n`;
}

for (const { name, code } of blocks) writeFileSync(join(dir, name), whole(code));

describe('the package', () => {
  it('brings the documentation, and no source of its tests', () => {
    expect(files).toEqual(expect.arrayContaining(['README.md', 'docs/keys.md', 'dist/index.d.ts']));
    expect(files.filter((file) => /(^|\/)(test|node_modules|src)\//.test(file))).toEqual([]);
  });

  it.each(Object.keys(resolutions) as (keyof typeof resolutions)[])(
    'has types for strict projects that check declarations, with %s; the blocks of the documentation fit them',
    (resolution) => {
      const names = blocks.map(({ name }) => name);
      expect(names.length).toBeGreaterThan(6);
      expect(typeErrors(dir, names, settings(resolution))).toEqual([]);
    },
  );

  it('exports every type of a public signature', () => {
    const index = join(packageDir, 'dist/index.d.ts');
    const program = ts.createProgram([index], settings('nodenext'));
    expect(typesNotExported(program, packageDir)).toEqual([]);
  });
});

describe('what an editor shows', () => {
  const editor = editorFor('editor.ts', [
    "import { AdaptiveTrainer, DatasetMixer, trainAdaptively, type CausalLM, type Tokenizer } from 'adaptive-trainer';",
    'declare const model: CausalLM;',
    'declare const tokenizer: Tokenizer;',
    'void model./*model*/generate;',
    'void tokenizer./*tokenizer*/encode;',
    "await trainAdaptively({ /*call*/ modelName: '', outputDir: '', datasetsConfig: {},",
    '  trainingConfig: { /*training*/ learningRate: 1, maxLengthToken: 2 },',
    '  adaptiveLossConfig: { /*loss*/ topK: 3 }, peftConfig: { /*peft*/ r: 4 } });',
    'new AdaptiveTrainer({ model, trainDataset: [], args: { /*args*/ gradientAccumulationSteps: 1 } });',
    'new DatasetMixer({ tokenizer, datasetsConfig: { /*datasets*/ attention: [] } });',
  ]);

  it.each(['call', 'training', 'loss', 'peft', 'args', 'datasets'])(
    'offers each key of %s once, in camelCase',
    (place) => {
      const names = editor.completions(place);
      expect(names.length).toBeGreaterThan(4);
      expect(new Set(names).size).toBe(names.length);
      expect(names.filter((name) => name.includes('_'))).toEqual([]);
    },
  );

  it.each([
    ['learningRate', /Highest learning rate.*Default 2e-5/],
    ['maxLengthToken', /Longest row in tokens.*Default 4096/],
    ['topK', /first choices.*Default 8/],
    ['r: 4', /Rank.*Default 8/],
    ['modelName', /Folder of the model/],
    ['gradientAccumulationSteps', /Micro-batches per step. Default 16/],
    ['attention', /Datasets to be learned exactly/],
  ])('tells what %s means', (key, text) => expect(editor.hover(key)).toMatch(text));

  it('shows no internals', () => {
    const internals = ['call', 'configure', 'native', 'recipe', 'alphabet', 'decoder', 'resized'];
    const shown = [...editor.completions('model'), ...editor.completions('tokenizer')];
    expect(shown).toEqual(expect.arrayContaining(['generate', 'encode']));
    expect(shown.filter((name) => internals.includes(name))).toEqual([]);
  });
});

describe('the blocks of the documentation', () => {
  placeFiles();
  // Each runs as it stands, on a tiny model under the name that it gives.
  it.each(blocks)('$name runs', ({ name, code }) => {
    const program = name.replace('.ts', '.js');
    const { module, target } = settings('bundler');
    writeFileSync(
      join(dir, program),
      ts.transpileModule(whole(code), { compilerOptions: { module, target } }).outputText,
    );
    expect(() => runIn(dir, program)).not.toThrow();
  });
});

/** The models, data and configuration that the documentation names. */
function placeFiles(): void {
  for (const name of ['models/Llama-3.2-1B-Instruct', 'models/SmolLM2-135M', 'base']) placeModel(dir, name);
  mkdirSync(join(dir, 'data'));
  const rows = (count: number) =>
    Array.from({ length: count }, (_, i) => JSON.stringify({ prompt: `${i}?`, response: `${i}.` })).join(
      '\n',
    );
  for (const name of ['helpsteer', 'facts']) writeFileSync(join(dir, 'data', `${name}.jsonl`), rows(8));
  const config = {
    model_name: 'base',
    output_dir: 'from-config',
    datasets_config: { misc: ['data/facts.jsonl'] },
    training_config: { max_steps: 1, gradient_accumulation_steps: 1 },
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
}

/** The language service that editors use, on one file of the project. */
function editorFor(name: string, lines: string[]) {
  const file = join(dir, name);
  const text = lines.join('\n');
  writeFileSync(file, text);
  const options = settings('nodenext');
  const host: ts.LanguageServiceHost = {
    getCompilationSettings: () => options,
    getScriptFileNames: () => [file],
    getScriptVersion: () => '1',
    getScriptSnapshot: (path) => {
      const content = ts.sys.readFile(path);
      return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
    },
    getCurrentDirectory: () => dir,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    realpath: ts.sys.realpath,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
  };
  const service = ts.createLanguageService(host);
  return {
    /** Names that are offered at a comment, as far as they are members; those that are written already included. */
    completions(mark: string): string[] {
      const comment = `/*${mark}*/`;
      const at = text.indexOf(comment) + comment.length;
      const found = service.getCompletionsAtPosition(file, at, {})?.entries ?? [];
      return found.filter(({ kind }) => /property|method|getter|accessor/.test(kind)).map((one) => one.name);
    },
    hover(key: string): string {
      const info = service.getQuickInfoAtPosition(file, text.indexOf(` ${key}`) + 1);
      return ts.displayPartsToString(info?.documentation).replace(/\s+/g, ' ');
    },
  };
}
