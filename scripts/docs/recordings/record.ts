import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { StandInHub } from '../../../test/hub/stand-in-hub.js';
import { normalise } from './normalise.js';
import type { Project } from './project.js';
import type { Recording, Step } from './recordings.js';

/** A step that was run. */
export interface Recorded extends Step {
  /** Standard output and standard error as they came, normalised. */
  output: string;
  status: number;
}

/** Runs the lines of a recording in the folder of the project. */
export async function record(
  { steps, onHub = false }: Recording,
  project: Project,
  hub: StandInHub,
): Promise<Recorded[]> {
  const recorded: Recorded[] = [];
  for (const step of steps) recorded.push(await run(step, project, onHub ? hub : undefined));
  return recorded;
}

function run(step: Step, { dir, home }: Project, hub: StandInHub | undefined): Promise<Recorded> {
  const path = [join(home, 'bin'), process.env['PATH'] ?? ''].join(':');
  const child = spawn('bash', ['-o', 'pipefail', '-c', `exec 2>&1; ${step.line}`], {
    cwd: dir,
    // Nothing of whoever records it: no account, no setting, no terminal.
    env: {
      ...{ PATH: path, HOME: home, LANG: 'C.UTF-8', NO_TOOLS: join(home, 'bin') },
      ...(hub === undefined ? {} : { HF_ENDPOINT: hub.endpoint, SECRET: [...hub.tokens][0] }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) =>
      resolve({ ...step, output: normalise(output, { home }).trimEnd(), status: status ?? 1 }),
    );
  });
}
