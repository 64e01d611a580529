import type { HubRepo } from './hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';

/** The page of a repository, for people to visit. */
export function repoPage({ endpoint }: Pick<HubSettings, 'endpoint'>, { type, name }: HubRepo): string {
  return `${endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}`;
}
