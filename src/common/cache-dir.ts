import os from 'node:os';
import path from 'node:path';

/** Where this project keeps what it fetches: `ADAPTIVE_TRAINER_CACHE`, else the user's cache folder. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env['ADAPTIVE_TRAINER_CACHE'];
  if (chosen) return path.resolve(chosen);
  const home = os.homedir();
  if (process.platform === 'darwin') return path.join(home, 'Library', 'Caches', 'adaptive-trainer');
  if (process.platform === 'win32') {
    return path.join(env['LOCALAPPDATA'] ?? path.join(home, 'AppData', 'Local'), 'adaptive-trainer', 'cache');
  }
  return path.join(env['XDG_CACHE_HOME'] || path.join(home, '.cache'), 'adaptive-trainer');
}
