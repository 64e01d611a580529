import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { checkout } from '../../scripts/packages/checkout.mjs';

/** Programs that are fetched from npm for these tests, each with the package that brings it. */
const programs = {
  pnpm: ['pnpm@12', 'pnpm/bin/pnpm.mjs'],
  yarnClassic: ['yarn@1', 'yarn/bin/yarn.js'],
  yarnBerry: ['@yarnpkg/cli-dist@4', '@yarnpkg/cli-dist/bin/yarn.js'],
  node22: [
    `node-${process.platform}-${process.arch}@22`,
    `node-${process.platform}-${process.arch}/bin/node`,
  ],
  node24: [
    `node-${process.platform}-${process.arch}@24`,
    `node-${process.platform}-${process.arch}/bin/node`,
  ],
  // Odd versions are what `engines` forgets.
  node25: [
    `node-${process.platform}-${process.arch}@25`,
    `node-${process.platform}-${process.arch}/bin/node`,
  ],
} as const;

/** The name of such a program. */
export type Tool = keyof typeof programs;

/** The programs that could be fetched, by name; tests of the others are skipped. */
export function fetchTools(npm: string): Partial<Record<Tool, string>> {
  return Object.fromEntries(
    Object.entries(programs).flatMap(([name, [spec, file]]) => {
      const folder = path.join(checkout, 'build', 'tools', name);
      const program = path.join(folder, 'node_modules', file);
      if (!existsSync(program)) {
        const args = [
          npm,
          'install',
          '--prefix',
          folder,
          '--no-audit',
          '--no-fund',
          '--ignore-scripts',
          spec,
        ];
        try {
          execFileSync(process.execPath, args, { stdio: 'ignore', timeout: 120_000 });
        } catch {
          // no such package in the registry of this machine, or no network
        }
      }
      if (existsSync(program)) return [[name, program]];
      console.warn(`npm could not bring ${spec}: its tests are skipped`);
      return [];
    }),
  );
}
