import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fetchArchive } from '../../../src/engine/libtorch/fetch-archive.js';
import { fetchPinnedLibtorch } from '../../../src/engine/libtorch/fetch-pinned-libtorch.js';
import { fetchWheel } from '../../../src/engine/libtorch/fetch-wheel.js';
import { libtorchPin } from '../../../src/engine/libtorch/libtorch-pin.js';
import { setupLibtorch } from '../../../src/engine/libtorch/setup-libtorch.js';
import { errorOf } from './error-of.js';
import { fakeLibtorchFiles } from './fake-libtorch.js';
import { makeWheel, makeZip } from './make-zip.js';
import { tempDir } from './temp-dir.js';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SetupProgress } from '../../../src/common/setup-progress.js';

const { version } = libtorchPin;
const requirement = process.platform === 'linux' ? `torch==${version}+cpu` : `torch==${version}`;
const hasPip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
// Only some platforms have an official archive; the test of the others is the error.
const hasArchive = ['linux-x64', 'darwin-arm64', 'win32-x64'].includes(`${process.platform}-${process.arch}`);

/** A shell script that stands in for a Python. */
function fakePython(script: string): string {
  const file = path.join(tempDir(), 'python3');
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

/** A server on this machine; the address is that of its root. */
async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

describe('the wheel, with pip', () => {
  test.runIf(hasPip)('a real pip fetches it from where it is configured to look', async () => {
    const dir = tempDir();
    const links = path.join(dir, 'links');
    mkdirSync(links);
    const tag = process.platform === 'linux' ? `${version}+cpu` : version;
    writeFileSync(
      path.join(links, `torch-${tag}-py3-none-any.whl`),
      makeWheel(fakeLibtorchFiles(), { version: tag }),
    );
    const env = { ...process.env, PIP_CONFIG_FILE: '/dev/null', PIP_NO_INDEX: '1', PIP_FIND_LINKS: links };
    const wheel = await fetchWheel({ requirement, workDir: tempDir(), onProgress: () => {}, env });
    expect(path.basename(wheel)).toBe(`torch-${tag}-py3-none-any.whl`);
    expect(statSync(wheel).size).toBeGreaterThan(500);
  });

  test('its size is reported while it grows', async () => {
    const python = fakePython(
      'echo "  Downloading torch.whl (2.0 MB)"; head -c 1000000 /dev/zero > "$TMPDIR/part"; sleep 1.2; touch "$TMPDIR/../a.whl"',
    );
    const seen: SetupProgress[] = [];
    await fetchWheel({
      requirement,
      workDir: tempDir(),
      onProgress: (progress) => seen.push(progress),
      interpreters: [python],
    });
    expect(seen).toContainEqual({
      phase: 'fetch',
      message: expect.any(String),
      done: 1_000_000,
      total: 2_000_000,
    });
  });

  test('every attempt is in the error: no Python, no pip, a pip that fails', async () => {
    const interpreters = [
      'no-such-python',
      fakePython('echo "python3: No module named pip" >&2; exit 1'),
      fakePython('echo "WARNING: chatter" >&2; echo "ERROR: No matching distribution found" >&2; exit 1'),
    ];
    const failed = fetchWheel({ requirement, workDir: tempDir(), onProgress: () => {}, interpreters });
    await expect(failed).rejects.toThrow(
      /no-such-python is not installed\n.*No module named pip\n.*No matching distribution found/,
    );
  });
});

describe('the official archive', () => {
  test.runIf(hasArchive)('is fetched with progress, from the name this platform has', async () => {
    const asked: (string | undefined)[] = [];
    const base = await serve((request, response) => {
      asked.push(request.url);
      response.setHeader('content-length', 5);
      response.end('bytes');
    });
    const seen: SetupProgress[] = [];
    const workDir = tempDir();
    const { zip, url } = await fetchArchive({
      version,
      workDir,
      baseUrl: `${base}/cpu/`,
      onProgress: (p) => seen.push(p),
    });
    expect(readFileSync(zip, 'utf8')).toBe('bytes');
    expect(asked).toEqual([expect.stringMatching(/^\/cpu\/libtorch-.*2\.13\.0(%2Bcpu)?\.zip$/)]);
    expect(seen.at(-1)).toEqual({ phase: 'fetch', message: `Fetching ${url}`, done: 5, total: 5 });
  });

  test.runIf(hasArchive)('fewer bytes than announced', async () => {
    const base = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('only these', () => response.destroy());
    });
    const fetched = fetchArchive({ version, workDir: tempDir(), baseUrl: base, onProgress: () => {} });
    await expect(fetched).rejects.toThrow(/broke off after 10 of 100 bytes/);
  });

  test.runIf(hasArchive)('a server that refuses, and one that is not there', async () => {
    const base = await serve((_, response) => response.writeHead(403).end());
    const options = { version, workDir: tempDir(), onProgress: () => {} };
    await expect(fetchArchive({ ...options, baseUrl: base })).rejects.toThrow(/HTTP 403 Forbidden/);
    await expect(fetchArchive({ ...options, baseUrl: 'http://127.0.0.1:1' })).rejects.toThrow(/127\.0\.0\.1/);
  });
});

describe('one after the other', () => {
  const noPip = { interpreters: ['no-such-python'] };

  test.runIf(hasArchive)('without pip the archive is fetched and set up', async () => {
    const files = Object.entries(fakeLibtorchFiles()).map(([name, content]) => ({
      name: `libtorch/${name}`,
      content,
    }));
    const base = await serve((_, response) => response.end(makeZip(files)));
    const env = { ADAPTIVE_TRAINER_CACHE: tempDir() };
    const seen: SetupProgress[] = [];
    const libtorch = await setupLibtorch({
      env,
      onProgress: (progress) => seen.push(progress),
      fetcher: (workDir, onProgress) =>
        fetchPinnedLibtorch(workDir, onProgress, { wheel: noPip, archive: { baseUrl: base } }),
    });
    expect(existsSync(path.join(libtorch.libDir))).toBe(true);
    expect(seen.map(({ message }) => message)).toContain(
      'pip could not fetch it; trying the official archive.',
    );
  });

  test('when both fail, one error tells of both', async () => {
    const archive = { baseUrl: 'http://127.0.0.1:1' };
    const error = await errorOf(() => fetchPinnedLibtorch(tempDir(), () => {}, { wheel: noPip, archive }));
    expect(error.code).toBe('LIBTORCH_NOT_FOUND');
    expect(error.message).toContain('no-such-python is not installed');
    expect(error.message).toContain(hasArchive ? 'http://127.0.0.1:1' : 'no official libtorch archive');
    expect(error.message).toContain('ADAPTIVE_TRAINER_LIBTORCH');
    expect((error.cause as AggregateError).errors).toHaveLength(2);
  });
});
