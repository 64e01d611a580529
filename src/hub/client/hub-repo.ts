import type { HubSettings } from '../../common/hub-settings.js';

/** A repository of the Hub. */
export interface HubRepo {
  readonly type: 'model' | 'dataset';
  /** `owner/name`, or the bare name of an old one such as `gpt2`. */
  readonly name: string;
}

/** Returns the page of a repository, for people to visit. */
export function repoPage({ endpoint }: Pick<HubSettings, 'endpoint'>, { type, name }: HubRepo): string {
  return `${endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}`;
}
