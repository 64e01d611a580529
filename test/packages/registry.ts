import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { checkout } from '../../scripts/packages/checkout.mjs';
import type { AddressInfo } from 'node:net';

interface Manifest {
  readonly name: string;
  readonly version: string;
}

/** A registry of npm on this machine, with nothing behind it. */
export interface Registry {
  readonly url: string;
  add(tarball: string): void;
  close(): Promise<void>;
}

/** Serves packages from tarballs, as a mirror inside of a firewall would. */
export async function startRegistry(): Promise<Registry> {
  const tarballs = new Map<string, { manifest: Manifest; content: Buffer }>();
  const server = createServer((request, response) => {
    const wanted = decodeURIComponent(request.url ?? '').slice(1);
    const file = tarballs.get(wanted);
    if (file !== undefined) return response.end(file.content);
    const versions = [...tarballs].filter(([, { manifest }]) => manifest.name === wanted);
    if (versions.length === 0) return response.writeHead(404).end('{"error":"not found"}');
    const url = `http://${request.headers.host}/`;
    response.setHeader('content-type', 'application/json');
    return response.end(JSON.stringify(document(wanted, url, versions)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    add(tarball) {
      const text = execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' });
      const manifest = JSON.parse(text) as Manifest;
      const name = `${manifest.name}/-/${manifest.version}.tgz`;
      tarballs.set(name, { manifest, content: readFileSync(tarball) });
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function document(
  name: string,
  url: string,
  tarballs: [string, { manifest: Manifest; content: Buffer }][],
): unknown {
  const versions = tarballs.map(([file, { manifest, content }]) => {
    const hash = (algorithm: string, encoding: 'hex' | 'base64') =>
      createHash(algorithm).update(content).digest(encoding);
    const dist = {
      tarball: url + file,
      shasum: hash('sha1', 'hex'),
      integrity: `sha512-${hash('sha512', 'base64')}`,
    };
    return [manifest.version, { ...manifest, dist }] as const;
  });
  // The first that was added is the one that is installed by name alone.
  return { name, 'dist-tags': { latest: versions[0]![0] }, versions: Object.fromEntries(versions) };
}

/** Makes tarballs of what the package depends on, out of the node_modules of this checkout. Returns them. */
export function packDependencies(into: string): string[] {
  mkdirSync(into, { recursive: true });
  const lock = JSON.parse(readFileSync(path.join(checkout, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; version: string }>;
  };
  return Object.entries(lock.packages)
    .filter(([folder, { dev }]) => folder !== '' && !dev)
    .map(([folder, { version }], i) => {
      const tarball = path.join(into, `${i}-${path.basename(folder)}-${version}.tgz`);
      execFileSync('tar', [
        ...['-czf', tarball, '-C', path.join(checkout, folder)],
        ...['--exclude=./node_modules', '--transform', 's,^\\./,package/,', '.'],
      ]);
      return tarball;
    });
}
