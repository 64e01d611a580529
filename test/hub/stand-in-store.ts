import { createHash } from 'node:crypto';

/** A file as git has it: its content, or for a large one the hash that the storage knows it by. */
export interface StoredFile {
  content: Buffer;
  /** git's name of the content; of a large file, of the pointer to it. */
  oid: string;
  /** SHA-256, for a large file. */
  sha256?: string;
}

export interface StoredRepo {
  type: 'model' | 'dataset';
  name: string;
  private: boolean;
  gated: boolean;
  /** Branch to commit. */
  branches: Map<string, string>;
  commits: Map<string, { title: string; files: Map<string, StoredFile> }>;
}

const sha = (kind: 'sha1' | 'sha256', ...parts: (string | Buffer)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash(kind)).digest('hex');
const gitOid = (content: Buffer) => sha('sha1', `blob ${content.length}\0`, content);

/** Repositories, commits and large files of the stand-in Hub, in memory. */
export class StandInStore {
  readonly repos = new Map<string, StoredRepo>();
  /** Large files by SHA-256. */
  readonly large = new Map<string, Buffer>();
  /** Parts of large files whose upload is not complete, by SHA-256 of the whole and their number from 1. */
  readonly parts = new Map<string, Map<number, Buffer>>();

  find(type: string, name: string): StoredRepo | undefined {
    return this.repos.get(`${type}/${name}`);
  }

  create(
    type: 'model' | 'dataset',
    name: string,
    access: { private?: boolean; gated?: boolean } = {},
  ): StoredRepo {
    const repo: StoredRepo = {
      type,
      name,
      private: access.private ?? false,
      gated: access.gated ?? false,
      branches: new Map(),
      commits: new Map(),
    };
    this.repos.set(`${type}/${name}`, repo);
    this.commit(repo, 'main', 'initial commit', new Map());
    return repo;
  }

  /** Files of a branch, tag or commit. */
  at(repo: StoredRepo, revision: string): { commit: string; files: Map<string, StoredFile> } | undefined {
    const commit = repo.branches.get(revision) ?? revision;
    const found = repo.commits.get(commit);
    return found === undefined ? undefined : { commit, files: found.files };
  }

  commit(repo: StoredRepo, branch: string, title: string, files: Map<string, StoredFile>): string {
    const names = [...files].map(([path, { oid }]) => `${path} ${oid}`).join('\n');
    const commit = sha('sha1', `${repo.type} ${repo.name} ${branch} ${title} ${repo.commits.size}\n${names}`);
    repo.commits.set(commit, { title, files });
    repo.branches.set(branch, commit);
    return commit;
  }

  /** Adds files to a branch, which starts empty. What ends in a name of large files is stored as one. */
  put(repo: StoredRepo, files: Record<string, string | Buffer>, branch = 'main'): string {
    const all = new Map(this.at(repo, branch)?.files ?? []);
    for (const [path, text] of Object.entries(files)) {
      const content = Buffer.from(text);
      all.set(path, isLarge(path) ? this.largeFile(content) : { content, oid: gitOid(content) });
    }
    return this.commit(repo, branch, 'put', all);
  }

  largeFile(content: Buffer): StoredFile {
    const sha256 = sha('sha256', content);
    this.large.set(sha256, content);
    return { content, sha256, oid: gitOid(pointer(sha256, content.length)) };
  }

  regularFile(content: Buffer): StoredFile {
    return { content, oid: gitOid(content) };
  }
}

/** What the .gitattributes of a new repository sends to large file storage. */
export function isLarge(path: string): boolean {
  return /\.(safetensors|bin|parquet|gz|onnx|gguf)$/.test(path);
}

/** The pointer that git keeps in place of a large file. */
function pointer(sha256: string, size: number): Buffer {
  return Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`);
}
