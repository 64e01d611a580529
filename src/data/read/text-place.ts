import type { TextPlace } from './file-fault.js';

/** The place that a text which starts at the beginning of `firstLine` ends at. */
export function textPlace(before: string, firstLine: number): TextPlace {
  const rows = before.split('\n');
  return { line: firstLine + rows.length - 1, column: (rows.at(-1)?.length ?? 0) + 1 };
}
