/** How numbers of a run are written for people. Values that are not finite are written as `–`. */
export const format = {
  /** `1,234,567` */
  count(value: number): string {
    return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '–';
  },

  /** Four significant digits of a loss: `2.345`, `0.01234`, `1234`. */
  loss(value: number): string {
    if (!Number.isFinite(value)) return '–';
    return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
  },

  /** A learning rate: `1.95e-5`, `0`. */
  rate(value: number): string {
    if (!Number.isFinite(value)) return '–';
    return value === 0 ? '0' : value.toExponential(2).replace(/\.?0+e/, 'e');
  },

  /** A part of a whole: `61%`; `–` where the whole is nothing. */
  share(part: number, whole: number): string {
    return whole > 0 && Number.isFinite(part) ? `${Math.round((100 * part) / whole)}%` : '–';
  },

  /** Seconds: `0.8 s`, `42 s`, `3 min 05 s`, `2 h 07 min`, `3 d 04 h`. */
  duration(seconds: number): string {
    if (!Number.isFinite(seconds)) return '–';
    if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return pair(whole, 60, 'min', 's');
    const minutes = Math.round(seconds / 60);
    if (minutes < 24 * 60) return pair(minutes, 60, 'h', 'min');
    return pair(Math.round(seconds / 3600), 24, 'd', 'h');
  },

  /** Bytes: `1.60 GiB`, `812 MiB`. */
  bytes(value: number): string {
    if (!Number.isFinite(value)) return '–';
    const mebibytes = value / 2 ** 20;
    return mebibytes < 1000 ? `${mebibytes.toFixed(0)} MiB` : `${(mebibytes / 1024).toFixed(2)} GiB`;
  },
};

function pair(value: number, base: number, large: string, small: string): string {
  return `${Math.floor(value / base)} ${large} ${String(value % base).padStart(2, '0')} ${small}`;
}
