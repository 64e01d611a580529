import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { hubSettings, type HubSettings } from '../../src/common/hub-settings.js';
import { StandInHub } from './stand-in-hub.js';

/** A Hub for the tests of a file, and an empty folder for each test. */
export interface HubTest {
  hub: StandInHub;
  folder: string;
  /** Settings for this Hub and a cache in the folder, with pauses that tests can wait for. */
  settings(overrides?: Partial<HubSettings>): HubSettings;
}

/** A token of the right look that opens everything; a secret, so it must be found nowhere. */
export const token = 'hf_standInStandInStandInStandIn99';

/** Milliseconds that a test waits for an answer that does not come. One that comes takes less, on a busy machine too. */
export const impatient = { timeoutMs: 1500 };

/** Starts and stops it all around the tests of the calling file. */
export function hubTest(): HubTest {
  const test = {} as HubTest;
  test.settings = (overrides) =>
    hubSettings(
      { HF_ENDPOINT: test.hub.endpoint, HF_HOME: join(test.folder, 'hf') },
      { timeoutMs: 30_000, pauseMs: 5, longestPauseMs: 2000, attempts: 4, ...overrides },
    );
  beforeAll(async () => {
    test.hub = await StandInHub.start();
    test.hub.tokens.add(token);
  });
  afterAll(() => test.hub.stop());
  beforeEach(async () => {
    test.folder = await mkdtemp(join(tmpdir(), 'hub-test-'));
    test.hub.clear();
    test.hub.store.repos.clear();
    test.hub.store.large.clear();
    test.hub.pageSize = 1000;
    test.hub.account = {};
    test.hub.partSize = Infinity;
    test.hub.store.parts.clear();
  });
  afterEach(() => rm(test.folder, { recursive: true, force: true, maxRetries: 3 }));
  return test;
}
