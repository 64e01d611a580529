import { join } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import type { HubRepo } from '../client/hub-repo.js';
import { isHubName } from '../../common/is-hub-name.js';

/** Where the files of one repository lie in the cache: the layout of Python's huggingface_hub. */
export interface CacheLayout {
  /** `models--owner--name` */
  readonly root: string;
  /** Contents, named by their hash. */
  readonly blobs: string;
  /** The commit that a branch or tag was last seen at. */
  ref(revision: string): string;
  /** The files of a commit under their own names, as links to blobs. */
  snapshot(commit: string): string;
  /** The list of a commit's files. */
  tree(commit: string): string;
}

/**
 * The layout for a repository.
 * @throws AdaptiveTrainerError INVALID_INPUT for a repository or a revision that is no name of one
 */
export function cacheLayout(cacheDir: string, { type, name }: HubRepo): CacheLayout {
  if (!isHubName(name)) {
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      `Expected the name of a ${type} on the Hub, owner/name, but received ${JSON.stringify(name)}.`,
      { details: { repo: name } },
    );
  }
  const root = join(cacheDir, [`${type}s`, ...name.split('/')].join('--'));
  return {
    root,
    blobs: join(root, 'blobs'),
    ref: (revision) => {
      // It becomes a path, and git allows no such name either.
      if (!/^[\w.-]+(\/[\w.-]+)*$/.test(revision) || /(^|\/)\.+(\/|$)/.test(revision)) {
        throw new AdaptiveTrainerError(
          'INVALID_INPUT',
          `Expected a branch, a tag or a commit as revision of "${name}" but received ${JSON.stringify(revision)}.`,
          { details: { revision } },
        );
      }
      return join(root, 'refs', ...revision.split('/'));
    },
    snapshot: (commit) => join(root, 'snapshots', commit),
    tree: (commit) => join(root, 'trees', `${commit}.json`),
  };
}
