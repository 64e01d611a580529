import { spawnSync } from 'node:child_process';
import { cudaFacts } from '../../engine/device/open-device.js';
import { chooseBinaries } from '../../engine/load/load-addon.js';
import { planAddonLoad } from '../../engine/load/plan-addon-load.js';
import { readAddonBuild } from '../../engine/load/read-addon-build.js';
import type { Libtorch } from '../../engine/libtorch/libtorch.js';
import { cudaFindings } from './cuda-findings.js';
import { failed, info, ok, problem, type Finding } from './finding.js';
import type { TrialOutcome } from './trial-step.js';

const rules: Readonly<Record<string, string>> = {
  ADAPTIVE_TRAINER_LIBTORCH: 'named by ADAPTIVE_TRAINER_LIBTORCH',
  LIBTORCH: 'named by LIBTORCH',
  build: 'the one that the addon was built with',
  package: 'the package that npm installed',
  cache: 'in the cache of adaptive-trainer',
  python: "the active Python's torch",
};
const again = 'Install the package again: delete node_modules and run `npm ci`.';

/** libtorch, the addon, and a step of training, all in child processes: what crashes ends the child. */
export function engineFindings(): Finding[] {
  let chosen: { addon: string; libtorch: Libtorch };
  try {
    chosen = chooseBinaries();
  } catch (error) {
    const skipped = info('training step', 'not tried');
    return [failed('libtorch and addon', error, again), skipped];
  }
  const { addon, libtorch } = chosen;
  const build = readAddonBuild(addon);
  const made = build === undefined ? '' : `, made for libtorch ${build.libtorchVersion}`;
  const found = [
    ok('libtorch', `${libtorch.version} in ${libtorch.root} (${rules[libtorch.source] ?? libtorch.source})`),
    info('addon', `${addon}${made}`),
    ...cudaFindings(cudaFacts(chooseBinaries({ cuda: true }))),
  ];
  try {
    planAddonLoad(addon, libtorch);
  } catch (error) {
    return [...found, failed('training step', error, again)];
  }
  return [...found, trainingStep()];
}

/** A step of a tiny model, by this very command in a process of its own. */
function trainingStep(): Finding {
  const name = 'training step';
  const args = [...process.execArgv, process.argv[1]!, 'doctor', '--trial'];
  const child = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 180_000,
    killSignal: 'SIGKILL',
  });
  const outcome = outcomeOf(child.stdout ?? '');
  if (outcome === undefined) {
    const end = child.signal === null ? `status ${child.status}` : child.signal;
    const said = (child.stderr ?? '').trim().split('\n').at(-1) ?? '';
    return problem(
      name,
      `The process that tried it ended with ${end}${said === '' ? '' : `: ${said}`}`,
      again,
    );
  }
  if (!outcome.ok) {
    const { code, message, fix } = outcome;
    return problem(name, `${code}: ${message}`, fix ?? again);
  }
  const bfloat16 = outcome.bfloat16 ? 'with bfloat16 instructions' : 'without bfloat16 instructions';
  return ok(name, `runs; loss ${outcome.loss.toFixed(3)}; ${outcome.cpuCapability} in use, ${bfloat16}`);
}

function outcomeOf(stdout: string): TrialOutcome | undefined {
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as TrialOutcome;
  } catch {
    return undefined;
  }
}
