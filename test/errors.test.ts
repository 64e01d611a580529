import { describe, expect, expectTypeOf, it } from 'vitest';
import type { ConfigFault } from '../src/common/config-fault.js';
import { AdaptiveTrainerError, type ErrorCode } from '../src/errors.js';
import { parseConfig } from '../src/config/read/parse-config.js';

const thrown = (): unknown => {
  try {
    return parseConfig({ modelName: 3 }, {});
  } catch (error) {
    return error;
  }
};

describe('AdaptiveTrainerError', () => {
  it('has details of the type that belongs to its code', () => {
    const error = thrown();
    if (!AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID')) throw error;
    expectTypeOf(error.code).toEqualTypeOf<'CONFIG_INVALID'>();
    expectTypeOf(error.details.faults).toEqualTypeOf<readonly ConfigFault[]>();
    expect(error.details.faults.map(({ path }) => path)).toContain('modelName');
  });

  it('narrows by comparing codes too', () => {
    const error = thrown();
    if (!AdaptiveTrainerError.isInstance(error)) throw error;
    expectTypeOf(error.code).toEqualTypeOf<ErrorCode>();
    switch (error.code) {
      case 'CONFIG_INVALID':
        return expectTypeOf(error.details.faults).toEqualTypeOf<readonly ConfigFault[]>();
      case 'LOSS_NOT_FINITE':
        return expectTypeOf(error.details.step).toEqualTypeOf<number>();
      case 'ABORTED':
        return expectTypeOf(error.details.checkpoint).toEqualTypeOf<string | undefined>();
      default:
        expectTypeOf(error.details['anything']).toEqualTypeOf<unknown>();
    }
  });

  it('is thrown with the details of its code alone', () => {
    // @ts-expect-error -- faults are missing
    const lacking = new AdaptiveTrainerError('CONFIG_INVALID', 'x', { details: {} });
    // @ts-expect-error -- there is no such detail
    const odd = new AdaptiveTrainerError('IO_FAILED', 'x', { details: { place: 'y' } });
    expectTypeOf(new AdaptiveTrainerError('IO_FAILED', 'x')).toExtend<AdaptiveTrainerError>();
    expect([lacking, odd].every((error) => AdaptiveTrainerError.isInstance(error))).toBe(true);
  });

  it('is known by its mark, so also one of another copy of the library', () => {
    const copy = Object.assign(new Error('x'), { code: 'ABORTED', details: {} });
    expect(AdaptiveTrainerError.isInstance(copy)).toBe(false);
    Object.assign(copy, { [Symbol.for('adaptive-trainer.error')]: true });
    expect(AdaptiveTrainerError.isInstance(copy, 'ABORTED')).toBe(true);
    expect(AdaptiveTrainerError.isInstance(copy, 'IO_FAILED')).toBe(false);
  });
});
