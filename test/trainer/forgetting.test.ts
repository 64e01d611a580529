import { beforeAll, describe, expect, it } from 'vitest';
import { concepts } from '../../bench/learning/families/concepts.js';
import { parseSetting } from '../../bench/learning/setting.js';
import { before, trainOnce, type Base, type Outcome } from '../../bench/learning/train-once.js';
import type { Family } from '../../bench/learning/family.js';

// `npm run bench:learning -- --family concepts`, small: what holds there holds here, too.
describe('a model that is held to its base', () => {
  let [family, base]: [Family | undefined, Base | undefined] = [undefined, undefined];
  let [free, kept]: [Outcome | undefined, Outcome | undefined] = [undefined, undefined];
  beforeAll(async () => {
    family = await concepts({ scale: 0.12, seed: 1 });
    base = await before(family);
    const run = (setting: string) => trainOnce(family!, parseSetting(setting), 0, base!);
    free = await run('ce lr=1e-3');
    kept = await run('ce lr=1e-3 keep=1 pull=2.5');
  }, 600_000);

  it('forgets less than half as much of texts and of chats', () => {
    expect(free!.texts).toBeGreaterThan(0.1);
    expect(free!.chats).toBeGreaterThan(0.1);
    expect(kept!.texts).toBeLessThan(0.5 * free!.texts);
    expect(kept!.chats).toBeLessThan(0.5 * free!.chats);
  });

  it('learns about as much', () => {
    expect(kept!.second).toBeLessThan(free!.second + 0.05);
    expect(kept!.target).toBeGreaterThan(free!.target - 0.08);
  });

  it('is seen to by the measure of forgetting', () => {
    expect(kept!.forgetting).toBeGreaterThan(0);
    expect(kept!.forgetting).toBeLessThan(0.5 * free!.forgetting);
  });
});
