/**
 * A line of the benchmark or of its peers.
 * @typedef {{ name: string, ms?: number, gib?: number, tokensPerSecond?: number, tflops?: number, gbs?: number,
 *   shareOfProduct?: number, shareOfCopy?: number, failed?: string, missing?: string }} Measured
 */

/** Which of TRL's each is put beside. @type {Record<string, string>} */
const peers = {
  'loss, numerators kept': 'TRL, chunked loss',
  'loss, recomputed': 'TRL, chunked loss',
  '1 B, full step': 'TRL, 1 B, full step',
  '8 B, LoRA step in 24 GiB': 'TRL, 8 B, LoRA step',
};

/** @param {string} text @returns {Measured[]} */
export function measuredIn(text) {
  return text.split('\n').flatMap((line) => (line.startsWith('{"name"') ? [JSON.parse(line)] : []));
}

/** @param {string[][]} rows */
function aligned(rows) {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** @param {number | undefined} value @param {number} digits */
const shown = (value, digits) => (value === undefined ? '' : value.toFixed(digits));
/** @param {number | undefined} value */
const share = (value) => (value === undefined ? '' : `${(100 * value).toFixed(0)} %`);

/**
 * The parts of a check, and what was measured beside TRL.
 * @param {{ part: string, result: string, seconds: number }[]} parts
 * @param {Measured[]} measured
 */
export function table(parts, measured) {
  const lines = aligned([
    ['part', 'result', 'seconds'],
    ...parts.map(({ part, result, seconds }) => [part, result, seconds.toFixed(1)]),
  ]);
  if (measured.length === 0) return lines.join('\n');
  const rows = measured.map((one) => {
    const why = one.failed ?? one.missing;
    if (why !== undefined) return [one.name, why, '', '', '', '', ''];
    const peer = measured.find(({ name }) => name === peers[one.name]);
    const isBeside = peer?.ms !== undefined && one.ms !== undefined;
    return [
      one.name,
      shown(one.ms, 2),
      shown(one.gib, 2),
      one.tflops === undefined ? shown(one.tokensPerSecond ?? one.gbs, 0) : shown(one.tflops, 0),
      share(one.shareOfProduct ?? one.shareOfCopy),
      isBeside ? `${shown(/** @type {number} */ (peer.ms) / /** @type {number} */ (one.ms), 2)} ×` : '',
      isBeside && peer.gib ? `${shown((one.gib ?? 0) / peer.gib, 2)} ×` : '',
    ];
  });
  const heads = [
    'measured',
    'ms',
    'GiB',
    'tokens/s, GB/s or TFLOP/s',
    'of the most',
    "TRL's speed",
    "TRL's memory",
  ];
  return [...lines, '', ...aligned([heads, ...rows])].join('\n');
}
