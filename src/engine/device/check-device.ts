import type { AddonLoad } from '../load/plan-addon-load.js';
import { stamp, TrialCache } from '../load/trial-cache.js';
import { argumentOf, openAddon } from '../load/try-addon.js';
import { tellingLine, tryScript } from '../load/try-script.js';
import type { CudaFault } from './cuda-faults.js';

export interface DeviceToCheck {
  /** As the engine names it: `cuda:0`. */
  readonly device: string;
  /** What tells it from another: a card's name, its driver. */
  readonly card: readonly unknown[];
  readonly addon: AddonLoad;
  /** Loaded after the addon, in this order. */
  readonly libraries: readonly string[];
}

const script = `${openAddon}
const [device, after] = more;
for (const library of after) preload([library]);
engine.checkDevice(device).then((difference) =>
  process.stdout.write(JSON.stringify({ difference })),
);
`;

/**
 * Lets a small model compute on a device and on the CPU, in a child process, the first time that this card is used with this
 * driver and these libraries. What passed is remembered; what did not is tried again at the next start.
 */
export function checkDevice(
  { device, card, addon, libraries }: DeviceToCheck,
  env: NodeJS.ProcessEnv = process.env,
): CudaFault | undefined {
  if (env['ADAPTIVE_TRAINER_DEVICE_CHECK'] === 'off') return undefined;
  const files = [addon.addon, ...(addon.preload?.libraries ?? []), ...libraries].map(stamp);
  const cache = new TrialCache('devices', JSON.stringify([device, card]), [process.version, ...files], env);
  if (cache.known) return undefined;
  const trial = tryScript(script, [...argumentOf(addon), device, libraries], addon.libDir);
  const difference = trial.ok
    ? (JSON.parse(trial.stdout) as { difference: string }).difference
    : `it ends with ${trial.timedOut ? 'nothing after two minutes' : (trial.signal ?? `exit status ${trial.status}`)}: ${tellingLine(trial.stderr)}`;
  if (difference === '') {
    cache.remember();
    return undefined;
  }
  return {
    missing: 'check',
    found: `a small model does not come out on ${device} as it does on the CPU: ${difference}`,
    fix:
      'close what else uses the card and try again; a driver and a libtorch of other releases; ' +
      'ADAPTIVE_TRAINER_DEVICE_CHECK=off computes on it all the same',
  };
}
