import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../../common/error-text.js';
import { hubSettings, type HubSettings } from '../../common/hub-settings.js';
import { whoAmI } from '../../hub/client/who-am-i.js';
import { failed, info, ok, problem, warning, type Finding } from './finding.js';

const patience = 10_000; // milliseconds
const proxies = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'];
const variables =
  /^(ADAPTIVE_TRAINER_\w+|LIBTORCH|OMP_\w+|MKL_\w+|ONEDNN_\w+|NODE_OPTIONS|HF_(?!TOKEN$)\w+|TRANSFORMERS_OFFLINE|WANDB_(?!API_KEY$)\w+|WORLD_SIZE|NODE_EXTRA_CA_CERTS|NODE_USE_ENV_PROXY)$/;
const secret = /TOKEN|KEY|SECRET|PASSWORD/;

/** The Hub, what stands between, and accounts. No token is ever told. */
export async function networkFindings(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const settings = hubSettings(env, { attempts: 1, timeoutMs: patience });
  return [...(await hub(settings)), ...proxyFindings(env), weightsAndBiases(env)];
}

/** Variables that change what the library does. */
export function environmentFindings(env: NodeJS.ProcessEnv): Finding[] {
  const set = Object.keys(env).filter((name) => variables.test(name) && env[name] !== '');
  return set
    .sort()
    .map((name) =>
      info(name, secret.test(name) && !name.endsWith('_PATH') ? 'set, not shown' : (env[name] ?? '')),
    );
}

async function hub(settings: HubSettings): Promise<Finding[]> {
  const { endpoint, token, offline } = settings;
  const told = token === undefined ? 'none; public models need none' : 'set, not shown';
  if (offline) return [info('Hub', 'not asked: HF_HUB_OFFLINE is set'), info('token of the Hub', told)];
  const reached = await reach(settings);
  if (reached.state !== 'ok' || token === undefined) return [reached, info('token of the Hub', told)];
  try {
    const { name, role } = await whoAmI(settings, { type: 'model', name: 'of any name' });
    return [reached, ok('token of the Hub', `${told}; of ${name}${role === undefined ? '' : `, ${role}`}`)];
  } catch (error) {
    const mend = `Make a new token at ${endpoint}/settings/tokens and set HF_TOKEN, or unset it for public models.`;
    return [
      reached,
      failed('token of the Hub', new Error(`${told}, but refused: ${errorText(error)}`), mend),
    ];
  }
}

async function reach({ endpoint, fetch }: HubSettings): Promise<Finding> {
  const mend =
    'Look at the network, the proxy (NODE_USE_ENV_PROXY=1 lets Node use one) and HF_ENDPOINT. Where there is no network, set ' +
    'HF_HUB_OFFLINE=1 and use models and data on this disk.';
  try {
    const response = await fetch(`${endpoint}/api/models?limit=1`, { signal: AbortSignal.timeout(patience) });
    await response.body?.cancel();
    if (response.status < 500) return ok('Hub', `${endpoint} answers`);
    return problem('Hub', `${endpoint} answers with status ${response.status}`, 'Try again later.');
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? `: ${errorText(error.cause)}` : '';
    return problem('Hub', `${endpoint} cannot be reached (${errorText(error)}${cause})`, mend);
  }
}

function proxyFindings(env: NodeJS.ProcessEnv): Finding[] {
  const set = proxies.flatMap((name) =>
    [name, name.toLowerCase()].filter((one) => env[one]).map((one) => ({ name: one, value: env[one]! })),
  );
  if (set.length === 0) return [info('proxies', 'none set')];
  const found = set.map(({ name, value }) => `${name}=${withoutCredentials(value)}`).join(', ');
  const isUsed = env['NODE_USE_ENV_PROXY'] === '1' || set.every(({ name }) => /^no_proxy$/i.test(name));
  if (isUsed) return [info('proxies', found)];
  return [
    warning(
      'proxies',
      found,
      'Node passes proxies by unless NODE_USE_ENV_PROXY=1 is set (Node 22.21 and 24 know it).',
    ),
  ];
}

/** Also where no scheme stands before them. */
function withoutCredentials(value: string): string {
  return value.replace(/^([a-z][a-z\d+.-]*:\/\/)?[^/]*@/i, '$1[redacted]@');
}

function weightsAndBiases(env: NodeJS.ProcessEnv): Finding {
  const mode = env['WANDB_MODE'] ? ` (WANDB_MODE=${env['WANDB_MODE']})` : '';
  if (env['WANDB_API_KEY']) return info('Weights & Biases', `WANDB_API_KEY is set, not shown${mode}`);
  let netrc = '';
  try {
    netrc = readFileSync(env['NETRC'] || join(homedir(), '.netrc'), 'utf8');
  } catch {
    // Most people have none.
  }
  const login = netrc.includes('api.wandb.ai') ? 'a login in .netrc' : 'no key; runs are kept on this disk';
  return info('Weights & Biases', `${login}${mode}`);
}
