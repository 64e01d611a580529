import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { AdapterRequest } from '../../engine/addon.js';

/** How the engine begins an adapter. */
export function startOf({ initLoraWeights }: PeftConfig): Pick<AdapterRequest, 'init' | 'rounds'> {
  const all = -1;
  switch (initLoraWeights) {
    case true:
      return { init: 'uniform', rounds: all };
    case 'gaussian':
      return { init: 'gaussian', rounds: all };
    case 'olora':
      return { init: 'qr', rounds: all };
    case 'pissa':
      return { init: 'svd', rounds: all };
    default:
      return { init: 'svd', rounds: Number(initLoraWeights.replace('pissa_niter_', '')) };
  }
}
