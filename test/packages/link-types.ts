import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { checkout } from '../../scripts/packages/checkout.mjs';

/** Node's types, which projects have of their own. */
export function linkTypes(dir: string): void {
  for (const name of ['@types/node', 'undici-types']) {
    const target = path.join(dir, 'node_modules', name);
    if (existsSync(target)) continue;
    mkdirSync(path.dirname(target), { recursive: true });
    symlinkSync(path.join(checkout, 'node_modules', name), target, 'junction');
  }
}
