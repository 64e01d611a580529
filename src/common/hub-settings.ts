import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where the Hub is, who asks and where downloads are kept. */
export interface HubSettings {
  /** Address of the Hub, without a slash at the end. */
  readonly endpoint: string;
  /** Access token; undefined for public repositories only. */
  readonly token: string | undefined;
  /** Nothing is asked of the Hub; the cache has to do. */
  readonly offline: boolean;
  /** The cache that Python's huggingface_hub shares. */
  readonly cacheDir: string;
  /** How long the Hub may stay silent before a request counts as failed. */
  readonly timeoutMs: number;
  /** How often a request is sent before it is given up. */
  readonly attempts: number;
  /** The pause before the second attempt; it doubles with each further one. */
  readonly pauseMs: number;
  /** The longest pause that a Hub may ask for with Retry-After or RateLimit. */
  readonly longestPauseMs: number;
  /** How many files of a repository are fetched at a time. */
  readonly parallelFiles: number;
  readonly fetch: typeof fetch;
}

/**
 * The settings of Python's huggingface_hub, from the same environment variables with the same defaults: HF_ENDPOINT,
 * HF_TOKEN or the file that `hf auth login` writes (HF_TOKEN_PATH), HF_HUB_OFFLINE, HF_HUB_CACHE, HF_HOME,
 * HF_HUB_DOWNLOAD_TIMEOUT (seconds). Read anew at each call.
 */
export function hubSettings(
  env: NodeJS.ProcessEnv = process.env,
  overrides: Partial<HubSettings> = {},
): HubSettings {
  const userHome = env['HOME'] || env['USERPROFILE'] || homedir();
  const path = (value: string) => expand(value, userHome, env);
  const hfHome = path(
    env['HF_HOME'] || join(env['XDG_CACHE_HOME'] || join(userHome, '.cache'), 'huggingface'),
  );
  const timeout = Number(env['HF_HUB_DOWNLOAD_TIMEOUT']);
  return {
    endpoint: (env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, ''),
    token: tokenOf(env, path(env['HF_TOKEN_PATH'] || join(hfHome, 'token'))),
    offline: isTrue(env['HF_HUB_OFFLINE'] || env['TRANSFORMERS_OFFLINE']),
    cacheDir: path(env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'] || join(hfHome, 'hub')),
    timeoutMs: timeout > 0 ? timeout * 1000 : 30_000,
    attempts: 5,
    pauseMs: 1000,
    longestPauseMs: 300_000,
    parallelFiles: 8,
    fetch: (...args) => fetch(...args),
    ...overrides,
  };
}

function tokenOf(env: NodeJS.ProcessEnv, file: string): string | undefined {
  // A header must be one line; a token copied with its line break is still the same token.
  const clean = (text: string | undefined) => text?.replace(/[\r\n]/g, '').trim() || undefined;
  return clean(env['HF_TOKEN']) ?? clean(env['HUGGING_FACE_HUB_TOKEN']) ?? clean(readIfThere(file));
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // not logged in, or the file is not ours to read: both mean no token
  }
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes((value ?? '').toUpperCase());
}

/** `~` and `$NAME` as Python's expanduser and expandvars read them. */
function expand(path: string, userHome: string, env: NodeJS.ProcessEnv): string {
  return path
    .replace(/^~(?=$|[/\\])/, () => userHome)
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (text, braced: string, bare: string) => env[braced ?? bare] ?? text);
}
