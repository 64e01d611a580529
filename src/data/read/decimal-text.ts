/**
 * A decimal of `units` · 10^-`scale` as Python's `str` of a `Decimal` writes it: `1.10`, `-0.05`, `1E-8`.
 *
 * @param units bytes are a two's complement, the highest first
 */
export function decimalText(units: number | bigint | Uint8Array, scale: number): string {
  const whole = units instanceof Uint8Array ? fromBytes(units) : BigInt(units);
  const sign = whole < 0n ? '-' : '';
  const digits = String(whole < 0n ? -whole : whole);
  const beforePoint = digits.length - scale;
  if (scale >= 0 && beforePoint > -6) {
    const padded = digits.padStart(scale + 1, '0');
    const at = padded.length - scale;
    return `${sign}${padded.slice(0, at)}${scale > 0 ? `.${padded.slice(at)}` : ''}`;
  }
  const exponent = beforePoint - 1;
  const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
  return `${sign}${mantissa}E${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`;
}

function fromBytes(bytes: Uint8Array): bigint {
  const units = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return BigInt.asIntN(bytes.length * 8, units);
}
