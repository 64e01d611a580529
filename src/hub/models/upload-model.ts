import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CommitOutput, CommitProgressEvent } from '@huggingface/hub';
import { AdaptiveTrainerError } from '../../errors.js';
import { hubFetch } from '../client/hub-fetch.js';
import { cannotUpload, uploadBroke } from '../client/hub-failures.js';
import { repoPage, type HubRepo } from '../client/hub-repo.js';
import { hubSettings, type HubSettings } from '../../common/hub-settings.js';
import { isHubName } from '../../common/is-hub-name.js';
import { whoAmI } from '../client/who-am-i.js';
import { resolveCommit } from '../client/resolve-commit.js';

/** How far an upload is: what it is at, and how far each file is, from 0 to 1. */
export type UploadProgress =
  | { event: 'phase'; phase: string }
  | { event: 'fileProgress'; path: string; progress: number; state: 'hashing' | 'uploading' | 'error' };

/** What to upload and how. */
export interface UploadModelOptions {
  /** Folder of the model. */
  folder: string;
  /** `owner/name`; a bare name is one of the token's own account. */
  repo: string;
  /** Make the repository a private one, if it is made. Default false. */
  isPrivate?: boolean;
  /** Default `Upload model`. */
  commitMessage?: string;
  settings?: HubSettings | undefined;
  onProgress?: ((event: UploadProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Uploads a model's folder to the Hub in one commit, the weights by Git LFS. The repository is made if there is none;
 * files of it that the folder lacks stay.
 * @returns the page of the model and the commit
 * @throws AdaptiveTrainerError HUB_FAILED, MODEL_NOT_FOUND for a folder without config.json, INVALID_INPUT, ABORTED
 */
export async function uploadModel(options: UploadModelOptions): Promise<{ url: string; commit: string }> {
  const { settings = hubSettings(), isPrivate = false, signal } = options;
  const folder = resolve(options.folder);
  const files = await filesOf(folder);
  checkCanUpload(settings, options.repo);
  const repo: HubRepo = { type: 'model', name: await fullName(settings, options.repo, signal) };
  await createRepo(settings, repo, isPrivate, signal);
  const { commitIter } = await import('@huggingface/hub');
  const commits = commitIter({
    repo: { type: 'model', name: repo.name },
    title: options.commitMessage ?? 'Upload model',
    operations: files.map((path) => ({
      operation: 'addOrUpdate',
      path: relative(folder, path).split(sep).join('/'),
      content: pathToFileURL(path),
    })),
    hubUrl: settings.endpoint,
    fetch: hubFetch(settings, repo, signal),
    // Xet, the Hub's newer storage, takes LFS uploads too, and LFS is what the tests can speak to the end.
    useXet: false,
    ...(signal === undefined ? {} : { abortSignal: signal }),
  });
  const result = await finish(settings, repo, commits, options);
  return { url: repoPage(settings, repo), commit: result.commit.oid };
}

async function finish(
  settings: HubSettings,
  repo: HubRepo,
  commits: AsyncGenerator<CommitProgressEvent, CommitOutput | undefined>,
  { onProgress, signal }: UploadModelOptions,
): Promise<CommitOutput> {
  try {
    for (;;) {
      const { done, value } = await commits.next();
      if (!done) onProgress?.(value);
      else if (value?.commit.oid) return value;
      else throw new Error('the Hub named no commit');
    }
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error)) throw error;
    throw uploadBroke(settings, repo, error, signal);
  }
}

/** The files of a folder and those below it; none whose name starts with a dot. */
async function filesOf(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  const files: string[] = [];
  for (const name of names.sort()) {
    if (name.split(sep).some((part) => part.startsWith('.'))) continue;
    if ((await stat(join(folder, name))).isFile()) files.push(join(folder, name));
  }
  if (['config.json', 'adapter_config.json'].some((name) => files.includes(join(folder, name)))) return files;
  throw new AdaptiveTrainerError(
    'MODEL_NOT_FOUND',
    `Expected the folder of a model, with config.json, or of an adapter, with adapter_config.json, but there is none at ${folder}.`,
    { details: { path: folder } },
  );
}

function checkCanUpload(settings: HubSettings, repo: string): void {
  if (!isHubName(repo)) {
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      `Expected the name of a repository, owner/name, but received ${JSON.stringify(repo)}.`,
      { details: { repo } },
    );
  }
  const failure = cannotUpload(settings, repo);
  if (failure !== undefined) throw failure;
}

async function fullName(settings: HubSettings, name: string, signal?: AbortSignal): Promise<string> {
  if (name.includes('/')) return name;
  const { name: owner } = await whoAmI(settings, { type: 'model', name }, signal);
  return `${owner}/${name}`;
}

/** Makes a repository on the Hub, unless it is there; one that is there stays as public or private as it is. */
async function createRepo(
  settings: HubSettings,
  repo: HubRepo,
  isPrivate: boolean,
  signal?: AbortSignal,
): Promise<void> {
  const [organization, name] = repo.name.split('/');
  const body = JSON.stringify({ type: repo.type, organization, name, private: isPrivate });
  const headers = { 'content-type': 'application/json' };
  try {
    const create = `${settings.endpoint}/api/repos/create`;
    await hubFetch(settings, repo, signal)(create, { method: 'POST', headers, body });
  } catch (error) {
    const status = AdaptiveTrainerError.isInstance(error) ? error.details['status'] : undefined;
    if (status === 409) return; // it is there
    if (status !== 403) throw error;
    // A token that may write to one repository but make none is enough if that one is there.
    await resolveCommit(settings, repo, 'main', signal).catch(() => Promise.reject(error));
  }
}
