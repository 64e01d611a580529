// Runs the numeric tests as machines with fewer instruction sets would: what libtorch (ATEN_CPU_CAPABILITY) and oneDNN
// (ONEDNN_MAX_CPU_ISA) may use is lowered. Needs core_tests (`npm run test:core`).
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { loadAddon } = await import(new URL('../dist/engine/load/load-addon.js', import.meta.url));
const machines = [
  { ONEDNN_MAX_CPU_ISA: 'AVX512_CORE' },
  // libtorch takes its variable's word for it: what the CPU lacks would be executed.
  {
    ONEDNN_MAX_CPU_ISA: 'AVX2',
    ...(loadAddon().cpuCapability === 'AVX512' ? { ATEN_CPU_CAPABILITY: 'avx2' } : {}),
  },
  { ONEDNN_MAX_CPU_ISA: 'SSE41', ATEN_CPU_CAPABILITY: 'default' },
];
// What computes, and compares with numbers made elsewhere.
const files = [
  'test/loss',
  'test/model/causal-lm.test.ts',
  'test/model/generate.test.ts',
  'test/lora/peft-oracle.test.ts',
  'test/lora/training.test.ts',
  ...['end-to-end', 'precision', 'float16', 'evaluation', 'saving', 'continue'].map(
    (name) => `test/trainer/${name}.test.ts`,
  ),
];

let failed = false;
for (const machine of machines) {
  const named = Object.entries(machine).map(([name, value]) => `${name}=${value}`);
  console.log(`\n${named.join(' ')}`);
  const run = (command, ...args) => {
    const { status } = spawnSync(command, args, {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ...machine },
      shell: process.platform === 'win32',
    });
    failed ||= status !== 0;
  };
  run(
    'ctest',
    '--test-dir',
    'build/core',
    '--build-config',
    'Release',
    '--output-on-failure',
    '--no-tests=error',
  );
  run('npx', 'vitest', 'run', ...files);
}
process.exit(failed ? 1 : 0);
