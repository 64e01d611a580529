import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isPlainObject } from '../../common/is-plain-object.js';
import type { CacheLayout } from './cache-layout.js';
import { isSafePath } from '../client/is-safe-path.js';
import type { ListedFile } from '../client/listed-file.js';
import { writeTextDurably } from '../../common/write-durably.js';

/** What the cache knows of the files of a commit. */
export class CachedListing {
  constructor(
    private readonly layout: CacheLayout,
    private readonly commit: string,
  ) {}

  /** The list as the Hub gave it once; Python's huggingface_hub keeps it in the same file. Undefined: not kept. */
  async read(): Promise<ListedFile[] | undefined> {
    try {
      const tree: unknown = JSON.parse(await readFile(this.layout.tree(this.commit), 'utf8'));
      if (!isPlainObject(tree) || tree['format_version'] !== 1 || !isPlainObject(tree['files']))
        return undefined;
      const files = Object.entries(tree['files']).map(([path, info]) => fileOf(path, info));
      return files.every((file) => file !== undefined) ? files : undefined;
    } catch {
      return undefined; // not there or not readable: it can be asked for again
    }
  }

  /** Keeps a list; it never changes, for a commit does not. */
  async write(files: readonly ListedFile[]): Promise<void> {
    const entries = [...files]
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map(({ path, size, hash, oid, xetHash }) => {
        const large = hash === oid ? {} : { lfs_sha256: hash, lfs_size: size };
        return [
          path,
          { size, blob_id: oid, ...large, ...(xetHash === undefined ? {} : { xet_hash: xetHash }) },
        ];
      });
    const tree = { format_version: 1, files: Object.fromEntries(entries) as Record<string, unknown> };
    await writeTextDurably(this.layout.tree(this.commit), JSON.stringify(tree, undefined, 1));
  }

  /** The files of the commit that are in the cache. */
  async present(): Promise<string[]> {
    const folder = this.layout.snapshot(this.commit);
    const paths: string[] = [];
    for (const name of await readdir(folder, { recursive: true }).catch(() => [] as string[])) {
      // A link to a blob that is gone counts as not there.
      const found = await stat(join(folder, name)).catch(() => undefined);
      if (found?.isFile()) paths.push(name.replaceAll('\\', '/'));
    }
    return paths.sort();
  }
}

function fileOf(path: string, info: unknown): ListedFile | undefined {
  if (!isPlainObject(info) || !isSafePath(path)) return undefined;
  const { size, blob_id: oid, lfs_sha256: sha256, lfs_size: lfsSize, xet_hash: xetHash } = info;
  const hash = sha256 ?? oid;
  if (typeof hash !== 'string' || !/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(hash)) return undefined;
  const bytes = lfsSize ?? size;
  if (!Number.isSafeInteger(bytes)) return undefined;
  return {
    path,
    size: bytes as number,
    hash,
    oid: String(oid),
    ...(typeof xetHash === 'string' ? { xetHash } : {}),
  };
}
