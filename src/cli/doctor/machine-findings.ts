import { existsSync, readFileSync } from 'node:fs';
import { rm, statfs, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { cacheDir } from '../../common/cache-dir.js';
import { format } from '../../common/format.js';
import { hubSettings } from '../../common/hub-settings.js';
import { packageVersion } from '../../common/package-version.js';
import { describeGraphics, seenGraphics } from '../../engine/platform/graphics.js';
import { unsupported } from '../../engine/platform/explain-missing.js';
import { thisMachine } from '../../engine/platform/machine.js';
import { failed, info, ok, problem, warning, type Finding } from './finding.js';

const leastDisk = 2 * 2 ** 30;
const instructionSets =
  /^(sse4_2|avx|avx2|fma|f16c|avx512f|avx512_bf16|avx512_vnni|avx_vnni|amx_bf16|amx_tile)$/;

/** Versions of what runs it. */
export function versionFindings(): Finding[] {
  const machine = thisMachine();
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isNodeOld =
    major < 20 || (major === 20 && minor < 19) || major === 21 || (major === 22 && minor < 12);
  const libc = machine.libc === undefined ? '' : `, ${machine.libc} ${machine.libcVersion ?? ''}`.trimEnd();
  const system = `${osName()} (${os.type()} ${os.release()}, ${machine.arch}${libc})`;
  const hopeless = unsupported(machine);
  return [
    info('adaptive-trainer', packageVersion()),
    isNodeOld
      ? problem('Node', process.versions.node, 'Install Node 20.19, 22.12 or later.')
      : ok('Node', process.versions.node),
    hopeless === undefined
      ? ok('system', system)
      : problem('system', `${system}: ${hopeless.cause}`, hopeless.fix),
  ];
}

/** Processor, memory, disk and graphics. */
export async function machineFindings(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  return [
    ...processor(),
    memory(),
    await disk('current folder', process.cwd()),
    await disk('cache of adaptive-trainer', cacheDir(env)),
    await disk('cache of the Hub', hubSettings(env).cacheDir),
    graphics(),
  ];
}

function processor(): Finding[] {
  const cpus = os.cpus();
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(textOf('/proc/cpuinfo') ?? '')?.[1]?.split(' ') ?? [];
  const known = flags.filter((flag) => instructionSets.test(flag));
  const usable = os.availableParallelism();
  const quota = cgroupCpus();
  const limits = [
    ...(usable < cpus.length ? [`${usable} for this process`] : []),
    ...(quota === undefined ? [] : [`a cgroup allows the time of ${quota}`]),
  ];
  const cores = `${cpus.length}${limits.length > 0 ? `; ${limits.join('; ')}` : ''}`;
  const threads = process.env['OMP_NUM_THREADS'];
  return [
    info('processor', cpus[0]?.model.trim() || 'unknown'),
    info('instruction sets', known.join(' ') || 'not told by this system'),
    quota !== undefined && quota < usable && threads === undefined
      ? warning(
          'cores',
          cores,
          `Set OMP_NUM_THREADS=${Math.max(1, Math.floor(quota))}: more threads than that wait for each other.`,
        )
      : ok('cores', cores),
  ];
}

/** How much processor time the cgroup gives, in processors; undefined: as much as there is. */
function cgroupCpus(): number | undefined {
  const [quota, period] = (
    textOf('/sys/fs/cgroup/cpu.max') ??
    `${textOf('/sys/fs/cgroup/cpu/cpu.cfs_quota_us') ?? 'max'} ${textOf('/sys/fs/cgroup/cpu/cpu.cfs_period_us') ?? ''}`
  )
    .trim()
    .split(/\s+/)
    .map(Number);
  return quota! > 0 && period! > 0 ? Number((quota! / period!).toFixed(2)) : undefined;
}

function memory(): Finding {
  const total = os.totalmem();
  const limit = process.constrainedMemory();
  const isLimited = limit !== undefined && limit > 0 && limit < total;
  const free = Number(/^MemAvailable:\s+(\d+) kB/m.exec(textOf('/proc/meminfo') ?? '')?.[1]) * 1024;
  const found =
    `${format.bytes(total)}, ${format.bytes(Number.isNaN(free) ? os.freemem() : free)} free` +
    (isLimited ? `; a cgroup allows ${format.bytes(limit)}` : '');
  return info('memory', found);
}

async function disk(name: string, folder: string): Promise<Finding> {
  const there = existingParent(folder);
  const where = there === folder ? folder : `${folder} (not there yet)`;
  const mend = `Make it writable, or name another place: ${
    name === 'current folder'
      ? 'run from another folder'
      : name.endsWith('Hub')
        ? 'HF_HOME'
        : 'ADAPTIVE_TRAINER_CACHE'
  }.`;
  try {
    const trial = path.join(there, `.adaptive-trainer-${process.pid}.tmp`);
    await writeFile(trial, '');
    await rm(trial, { force: true });
    const { bavail, bsize } = await statfs(there);
    const found = `${where}, ${format.bytes(bavail * bsize)} free`;
    if (bavail * bsize >= leastDisk) return ok(name, found);
    return warning(name, found, 'Free some disk: models and checkpoints take gigabytes.');
  } catch (error) {
    return failed(name, new Error(`${where} cannot be written to: ${(error as Error).message}`), mend);
  }
}

function existingParent(folder: string): string {
  let place = path.resolve(folder);
  while (!existsSync(place) && path.dirname(place) !== place) place = path.dirname(place);
  return place;
}

function graphics(): Finding {
  return info('graphics', describeGraphics(seenGraphics()));
}

function osName(): string {
  const release = textOf('/etc/os-release') ?? '';
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1] ?? os.platform();
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
