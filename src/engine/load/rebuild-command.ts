import { isCheckout } from '../../common/is-checkout.js';
import { packageRoot } from '../../common/package-root.js';

/** The command that builds the addon: another one in a checkout than in a project that depends on the package. */
export function rebuildCommand(root: string = packageRoot): string {
  return isCheckout(root) ? 'npm run build:native' : 'npx adaptive-trainer build';
}
