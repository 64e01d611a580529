import { readFileSync } from 'node:fs';
import { cpus, release, type } from 'node:os';
import { loadAddon } from '../../src/engine/load/load-addon.js';

const json = (path: string) =>
  JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')) as { version: string };

/** The CPU's instruction sets in use: libtorch's choice, and whether bfloat16 has its own. */
export function instructionSets(): string {
  const { cpuCapability, bfloat16Instructions } = loadAddon();
  return `${cpuCapability}${bfloat16Instructions ? ' and bfloat16' : ''}`;
}

/** This library and what it runs on, by version. */
export function ownVersions(): Record<string, string> {
  return {
    'adaptive-trainer': json('package.json').version,
    libtorch: json('libtorch.json').version,
    node: process.versions.node,
  };
}

/** Versions as a cell of the results. */
export function versionsText(versions: Record<string, string>): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join('; ');
}

/** What a line of the results says of when and where it was measured. */
export function whenAndWhere(): { date: string; cpu: string; cores: number; os: string } {
  return {
    date: new Date().toISOString().slice(0, 16),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    os: `${type()} ${release()}`,
  };
}
