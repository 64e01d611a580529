import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/packages/**/*.test.ts'],
    globalSetup: 'test/packages/setup.ts',
    pool: 'forks',
    // Each installation writes 350 MB.
    fileParallelism: false,
    env: { OMP_WAIT_POLICY: 'PASSIVE', WANDB_MODE: 'disabled' },
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
