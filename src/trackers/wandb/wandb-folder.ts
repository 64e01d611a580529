import { existsSync, readdirSync } from 'node:fs';
import { symlink, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { mkdirs } from '../../common/mkdirs.js';

function stamp(time: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}${two(time.getMonth() + 1)}${two(time.getDate())}`;
  return `${day}_${two(time.getHours())}${two(time.getMinutes())}${two(time.getSeconds())}`;
}

/** A folder named by the time, as the official client names it; a second of its own for each part of a run. */
export function freeFolder(dir: string, prefix: string, id: string): string {
  for (let time = Date.now(); ; time += 1000) {
    const stamped = `run-${stamp(new Date(time))}-${id}`;
    const names = [stamped, `offline-${stamped}`];
    if (!names.some((name) => existsSync(join(dir, name)))) return join(dir, `${prefix}${stamped}`);
  }
}

/** Makes the folder of a run with what the official client has in it, and `latest-run`, which points to it. */
export async function makeFolders(folder: string): Promise<void> {
  await mkdirs(join(folder, 'files'));
  await mkdirs(join(folder, 'logs'));
  const latest = join(folder, '..', 'latest-run');
  await unlink(latest).catch(() => {});
  await symlink(basename(folder), latest).catch(() => {});
}

/** The `.wandb` file of a run's latest part. The names of the folders begin with the time, so they sort by it. */
export function newestLog(dir: string, id: string): string | undefined {
  const folder = join(dir, 'wandb');
  if (!existsSync(folder)) return undefined;
  const pattern = /^(offline-)?run-(\d{8}_\d{6})-(.+)$/;
  const names = readdirSync(folder)
    .map((name) => pattern.exec(name))
    .filter((match) => match?.[3] === id)
    .sort((a, b) => (a![2]! < b![2]! ? -1 : 1))
    .map((match) => join(folder, match![0], `run-${id}.wandb`));
  return names.filter((path) => existsSync(path)).at(-1);
}
