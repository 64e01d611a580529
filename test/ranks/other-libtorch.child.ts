// train.child.ts of a rank that has another libtorch.
import { loadAddon } from '../../src/engine/load/load-addon.js';

Object.defineProperty(loadAddon(), 'libtorch', { value: '2.12.0' });
await import('./train.child.js');
