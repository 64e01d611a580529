import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';

/** Where and as what a run is reported to Weights & Biases. */
export interface WandbSettings {
  mode: 'online' | 'offline' | 'disabled';
  /** Of the server's API, without a slash at its end. */
  baseUrl: string;
  /** Absent offline. */
  apiKey: string | undefined;
  project: string;
  /** Absent: the user's default. */
  entity: string | undefined;
  name: string | undefined;
  /** From WANDB_RUN_ID. Default: made from the training run's own id. */
  runId: string | undefined;
  resume: 'allow' | 'must' | 'never' | undefined;
  group: string | undefined;
  tags: readonly string[];
  notes: string | undefined;
  /** The folder in which `wandb/` is made. */
  dir: string;
  /** Whether what the process prints is sent along. */
  console: boolean;
}

/** What the configuration says about W&B. */
export interface WandbRequest {
  /** `auto`: online with a key, else not at all. true: online with a key, else offline. */
  use: 'auto' | boolean;
  project: string;
  /** Whether `project` was given, and is not the default. */
  isProjectGiven: boolean;
  entity: string | null;
  name: string;
  outputDir: string;
}

const modes = { online: 'online', offline: 'offline', dryrun: 'offline', disabled: 'disabled' } as const;
const hubs = 'https://api.wandb.ai';

/**
 * Returns where a run is reported, from the configuration and the variables that the official client reads:
 * WANDB_API_KEY (else `~/.netrc`), WANDB_BASE_URL, WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY, WANDB_NAME, WANDB_RUN_ID,
 * WANDB_RESUME, WANDB_RUN_GROUP, WANDB_TAGS, WANDB_NOTES, WANDB_DIR and WANDB_CONSOLE. What the configuration gives
 * goes before a variable, except the name, which it always has.
 *
 * @throws AdaptiveTrainerError CONFIG_INVALID for a variable with a value that is none of those allowed
 */
export function wandbSettings(request: WandbRequest, env: NodeJS.ProcessEnv = process.env): WandbSettings {
  const baseUrl = serverUrl(env['WANDB_BASE_URL'] || hubs);
  const asked = chosen(env, 'WANDB_MODE', modes);
  const isWanted = request.use !== false && asked !== 'disabled';
  const apiKey = isWanted && asked !== 'offline' ? findKey(baseUrl, env) : undefined;
  const offline = request.use === true || asked === 'offline' ? 'offline' : 'disabled';
  return {
    mode: !isWanted ? 'disabled' : apiKey === undefined ? offline : 'online',
    baseUrl,
    apiKey,
    project: request.isProjectGiven ? request.project : env['WANDB_PROJECT'] || request.project,
    entity: request.entity ?? (env['WANDB_ENTITY'] || undefined),
    name: env['WANDB_NAME'] || request.name,
    runId: runId(env),
    resume: chosen(env, 'WANDB_RESUME', {
      ...({
        allow: 'allow',
        must: 'must',
        never: 'never',
        auto: 'allow',
        true: 'allow',
        false: undefined,
      } as const),
    }),
    group: env['WANDB_RUN_GROUP'] || undefined,
    tags: (env['WANDB_TAGS'] ?? '')
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean),
    notes: env['WANDB_NOTES'] || undefined,
    dir: env['WANDB_DIR'] || request.outputDir,
    console: env['WANDB_CONSOLE'] !== 'off',
  };
}

function chosen<Values extends Record<string, unknown>>(
  env: NodeJS.ProcessEnv,
  name: string,
  values: Values,
): Values[keyof Values] | undefined {
  const given = env[name];
  if (!given) return undefined;
  if (Object.hasOwn(values, given)) return values[given] as Values[keyof Values];
  throw invalid(name, Object.keys(values).join(', '), given);
}

function serverUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalid('WANDB_BASE_URL', 'an address as https://api.wandb.ai', text);
  }
  return text.replace(/\/+$/, '');
}

function runId(env: NodeJS.ProcessEnv): string | undefined {
  const id = env['WANDB_RUN_ID'] || undefined;
  // It becomes the name of a folder and a part of an address.
  if (id !== undefined && (!/^[\w.-]{1,128}$/.test(id) || /^\.+$/.test(id))) {
    throw invalid('WANDB_RUN_ID', 'at most 128 letters, digits, ".", "_" and "-"', id);
  }
  return id;
}

function invalid(name: string, expected: string, found: string): AdaptiveTrainerError {
  const message = `Expected ${expected} in the variable ${name}, found ${JSON.stringify(found)}. Mend or unset it.`;
  return new AdaptiveTrainerError('CONFIG_INVALID', message, {
    details: { faults: [{ path: name, code: 'INVALID', message }] },
  });
}

function findKey(baseUrl: string, env: NodeJS.ProcessEnv): string | undefined {
  if (env['WANDB_API_KEY']) return env['WANDB_API_KEY'].trim() || undefined;
  const host = new URL(baseUrl).hostname;
  const files = env['NETRC'] ? [env['NETRC']] : ['.netrc', '_netrc'].map((name) => join(homedir(), name));
  for (const file of files) {
    const key = netrcPassword(readIfThere(file), host);
    if (key !== undefined) return key;
  }
  return undefined;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The password of a machine in a .netrc file; `default` entries are for no particular machine and are not taken. */
function netrcPassword(text: string, machine: string): string | undefined {
  const words = text.replace(/(^|\s)#.*$/gm, '').split(/\s+/);
  let isMachine = false;
  for (let index = 0; index < words.length; index++) {
    if (words[index] === 'machine') isMachine = words[++index] === machine;
    else if (words[index] === 'default') isMachine = false;
    else if (words[index] === 'password' && isMachine) return words[index + 1];
  }
  return undefined;
}
