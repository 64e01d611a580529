import { rm } from 'node:fs/promises';
import { StandInHub } from '../../../test/hub/stand-in-hub.js';
import { makeProject } from './project.js';
import { record, type Recorded } from './record.js';
import { recordings } from './recordings.js';

const token = 'hf_standInStandInStandInStandIn99';

/**
 * Runs recordings anew, in a project that is gone afterwards.
 * @param isWhole also the lines that are compared with nothing
 * @param commands those alone; default: all
 */
export async function recordAll(
  isWhole: boolean,
  commands: readonly string[] = [],
): Promise<Map<string, Recorded[]>> {
  const hub = await StandInHub.start();
  hub.tokens.add(token);
  const project = await makeProject();
  try {
    const all = new Map<string, Recorded[]>();
    for (const recording of recordings) {
      if (commands.length > 0 && !commands.includes(recording.command)) continue;
      const steps = recording.steps.filter(({ compare }) => isWhole || compare !== 'nothing');
      all.set(recording.command, await record({ ...recording, steps }, project, hub));
    }
    return all;
  } finally {
    await rm(project.home, { recursive: true, force: true });
    await hub.stop();
  }
}
