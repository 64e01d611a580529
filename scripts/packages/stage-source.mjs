import { readdirSync } from 'node:fs';
import path from 'node:path';
import { checkout, common, manifest, publishConfig } from './checkout.mjs';
import { copyIfChanged, writeIfChanged, writeManifest } from './write-if-changed.mjs';

const tools = ['cmake-js', 'node-addon-api', 'node-api-headers'];

/** The package with the C++ of the addon and the tools that build it, for `adaptive-trainer build`. */
export async function stageSource(into) {
  const { sourcePackage } = await import('../../dist/engine/platform/prebuilt.js');
  const folder = path.join(into, 'source');
  for (const name of readdirSync(path.join(checkout, 'native'), { recursive: true, encoding: 'utf8' })) {
    if (!/\.(cpp|h)$/.test(name)) continue;
    copyIfChanged(path.join(checkout, 'native', name), path.join(folder, 'native', name));
  }
  for (const name of ['CMakeLists.txt', 'LICENSE', 'NOTICE'])
    copyIfChanged(path.join(checkout, name), path.join(folder, name));
  const what = 'The C++ of adaptive-trainer, for platforms that no package has binaries for.';
  writeIfChanged(
    path.join(folder, 'README.md'),
    `# ${sourcePackage}\n\n${what} \`npx adaptive-trainer build\` compiles it.\n`,
  );
  writeManifest(folder, {
    ...{ name: sourcePackage, version: manifest.version, description: what, license: manifest.license },
    ...common,
    engines: manifest.engines,
    files: ['native', 'CMakeLists.txt', 'NOTICE'],
    dependencies: Object.fromEntries(tools.map((name) => [name, manifest.devDependencies[name]])),
    binary: manifest.binary,
    publishConfig,
  });
  return folder;
}
