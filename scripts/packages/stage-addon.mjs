import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { checkout, common, manifest, publishConfig } from './checkout.mjs';
import { tooNew } from './elf-versions.mjs';
import { platformFields } from './platform-fields.mjs';
import { stagePlugin } from './stage-plugin.mjs';
import { stripped } from './stripped.mjs';
import { copyIfChanged, writeIfChanged, writeManifest } from './write-if-changed.mjs';

const files = ['adaptive_trainer.node', 'adaptive_trainer_preload.node', 'adaptive_trainer_ranks.node'];

/**
 * The package of this platform's addon, as it was built in build/Release.
 * @param {string} into
 * @param {{ cuda: boolean }} options whether the kernels of build/cuda go into it
 */
export async function stageAddon(into, { cuda }) {
  const { thisMachine } = await import('../../dist/engine/platform/machine.js');
  const { addonPackage, prebuiltKey } = await import('../../dist/engine/platform/prebuilt.js');
  const machine = thisMachine();
  const built = path.join(checkout, 'build', 'Release');
  const { libtorchVersion } = JSON.parse(
    readFileSync(path.join(built, 'adaptive_trainer.build.json'), 'utf8'),
  );
  const folder = path.join(into, 'addon');
  const target = path.join(folder, 'prebuilds', prebuiltKey(machine, libtorchVersion));
  rmSync(path.join(folder, 'prebuilds'), { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const name of files) {
    stripped(path.join(built, name), path.join(target, name));
    if (machine.platform !== 'linux') continue;
    const symbols = tooNew(path.join(target, name));
    if (symbols.length > 0)
      throw new Error(`${name} would not load where libtorch does: ${symbols.join(', ')}`);
  }
  const version = manifest.version;
  if (cuda) stagePlugin(path.join(checkout, 'build', 'cuda'), target, { version, libtorchVersion });
  writeIfChanged(
    path.join(target, 'adaptive_trainer.build.json'),
    `${JSON.stringify({ version, libtorchVersion })}\n`,
  );
  for (const name of ['LICENSE', 'NOTICE']) copyIfChanged(path.join(checkout, name), path.join(folder, name));
  const name = addonPackage(machine);
  const what = `The native addon of adaptive-trainer for ${machine.platform} on ${machine.arch}.`;
  writeIfChanged(
    path.join(folder, 'README.md'),
    `# ${name}\n\n${what} npm installs it with \`adaptive-trainer\`.\n`,
  );
  writeManifest(folder, {
    ...{ name, version, description: what, license: manifest.license, ...common },
    ...platformFields(machine),
    engines: manifest.engines,
    files: ['prebuilds', 'NOTICE'],
    publishConfig,
  });
  return folder;
}
