import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runCli } from '../../../src/cli/run-cli.js';
import { cachedLibtorchDir } from '../../../src/engine/libtorch/cached-libtorch-dir.js';
import { progressPrinter } from '../../../src/common/progress-printer.js';
import { writeFakeLibtorch } from './fake-libtorch.js';
import { tempDir } from './temp-dir.js';

const runSetup = (args: string[]) => runCli(['setup', ...args]);

let printed = '';

beforeEach(() => {
  printed = '';
  const collect = (...words: unknown[]): boolean => {
    printed += `${words.join(' ')}\n`;
    return true;
  };
  vi.spyOn(console, 'log').mockImplementation(collect);
  vi.spyOn(console, 'error').mockImplementation(collect);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => collect(text));
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

function stubCache(): void {
  const cache = tempDir();
  vi.stubEnv('ADAPTIVE_TRAINER_CACHE', cache);
  vi.stubEnv('ADAPTIVE_TRAINER_LIBTORCH', '');
  vi.stubEnv('LIBTORCH', '');
  const manifest = JSON.stringify({ version: '2.13.0+cpu', files: {} });
  writeFakeLibtorch(cachedLibtorchDir(), { extra: { 'manifest.json': manifest } });
}

test('says where libtorch is and fetches nothing when it is there', async () => {
  stubCache();
  expect(await runSetup(['--cpu'])).toBe(0);
  expect(printed).toContain(`libtorch 2.13.0+cpu is in ${cachedLibtorchDir()}; nothing to fetch.`);
});

test('says that a variable takes precedence over what it fetched', async () => {
  stubCache();
  vi.stubEnv('LIBTORCH', '/some/libtorch');
  expect(await runSetup(['--cpu'])).toBe(0);
  expect(printed).toContain('LIBTORCH=/some/libtorch is set');
});

test('help, and an option it does not know', async () => {
  expect(await runSetup(['--help'])).toBe(0);
  expect(printed).toContain('Usage: adaptive-trainer setup [options]');
  await expect(runSetup(['--forse'])).rejects.toThrow("Unknown option '--forse'. Did you mean --force?");
});

test('progress: plain lines in a log', () => {
  let out = '';
  const print = progressPrinter({ write: (text) => (out += text) });
  print({ phase: 'fetch', message: 'Fetching x' });
  for (let done = 0; done <= 100e6; done += 1e6)
    print({ phase: 'fetch', message: 'Fetching x', done, total: 100e6 });
  const lines = out.trimEnd().split('\n');
  expect(lines).toHaveLength(11);
  expect(lines.slice(0, 2)).toEqual(['Fetching x', '  10 MB of 100 MB (10 %)']);
  expect(lines.at(-1)).toBe('  100 MB of 100 MB (100 %)');
});

test('progress: one bar that redraws itself on a terminal', () => {
  let out = '';
  const print = progressPrinter({ isTTY: true, columns: 70, write: (text) => (out += text) });
  print({ phase: 'fetch', message: `Fetching ${'x'.repeat(80)}`, done: 50e6, total: 100e6 });
  print({ phase: 'fetch', message: `Fetching ${'x'.repeat(80)}`, done: 100e6, total: 100e6 });
  print({ phase: 'done', message: 'It is there.' });
  const frames = stripVTControlCharacters(out.replaceAll('\r\u001b[2K', '<frame>')).split('<frame>').slice(1);
  expect(frames).toHaveLength(2);
  expect(frames[0]).toMatch(/^━{24} Fetching x+… 50 MB of 100 MB \(50 %\)$/);
  expect(frames[0]!.length).toBeLessThanOrEqual(70);
  expect(frames[1]!.endsWith('\nIt is there.\n')).toBe(true);
});
