import { expectInput } from '../common/expect-input.js';
import type { FlatBatch } from '../engine/addon.js';

/**
 * Rows joined without padding.
 * @throws AdaptiveTrainerError INVALID_INPUT for no rows, an empty row or ids that are not whole numbers
 */
export function flatBatch(rows: readonly ArrayLike<number>[], argument = 'sequences'): FlatBatch {
  expectInput(Array.isArray(rows) && rows.length > 0, argument, 'at least one row of token ids', rows);
  const cuSeqlens = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    expectInput(row?.length > 0, `${argument}[${i}]`, 'at least one token', row);
    cuSeqlens[i + 1] = cuSeqlens[i]! + row.length;
  });
  const inputIds = new Int32Array(cuSeqlens[rows.length]!);
  rows.forEach((row, i) => {
    // A typed array can only hold whole numbers; anything else would be cut to one silently.
    if (!(row instanceof Int32Array)) checkWholeNumbers(row, `${argument}[${i}]`);
    inputIds.set(row, cuSeqlens[i]!);
  });
  return { inputIds, cuSeqlens };
}

function checkWholeNumbers(row: ArrayLike<number>, argument: string): void {
  for (let t = 0; t < row.length; t++) {
    const value: unknown = row[t];
    expectInput(
      Number.isInteger(value) && Math.abs(value as number) < 2 ** 31,
      `${argument}[${t}]`,
      'a whole number',
      value,
    );
  }
}
