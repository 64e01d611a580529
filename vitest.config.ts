import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They install packages of hundreds of megabytes: `npm run test:packages`.
    exclude: ['test/packages/**'],
    globalSetup: 'test/helpers/global-setup.ts',
    // The addon owns one engine thread per process, so tests that load it get a process each, one at a time.
    pool: 'forks',
    fileParallelism: false,
    // Threads that wait by spinning make tiny models slow, and many times slower on a machine that is busy.
    // WANDB_MODE: no test reports to the account of whoever runs it.
    env: { OMP_WAIT_POLICY: 'PASSIVE', WANDB_MODE: 'disabled' },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // What a page or a process comes to in a while, it comes to later on a machine that is busy.
    expect: { poll: { timeout: 30_000 } },
  },
});
