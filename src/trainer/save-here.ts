import type { RunHost } from './run-host.js';
import type { RunParts } from './run-parts.js';

/** Writes a checkpoint of the step that the run is at. All ranks call it; rank 0 writes, and returns its folder. */
export async function saveHere(host: RunHost, parts: RunParts): Promise<string | undefined> {
  parts.savedStep = parts.run.progress.step;
  return host.ranks.isFirst ? host.saveCheckpoint() : undefined;
}
