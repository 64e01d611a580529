import { rowLimits } from './row-limits.js';

/** A record of a CSV file, which may have several lines. */
export interface CsvRecord {
  /** Without the line break at its end. Null: it is longer than a row may be. */
  bytes: Buffer | null;
  /** Its first and its last line, from 1. */
  line: number;
  lastLine: number;
  /** Its quotes are not as they should be. */
  isMalformed: boolean;
  /** A quote in it is never closed, and where it ends cannot be told. */
  isOpen: boolean;
}

/** How records are told apart. */
export interface CsvSplitting {
  /** One byte each. */
  delimiter: number;
  newline: number;
  /** Whether records have as many values as the first of the file; asked to find the way after a stray quote. */
  areRows: (records: readonly CsvRecord[], first: CsvRecord) => boolean;
}

const quote = 0x22;

/**
 * Cuts a CSV file into records without reading their values. A quote that is out of place takes the lines up to the next quote
 * with it: where each of these is a row by itself, only the first line is the broken record; else all of them are.
 *
 * @yields the records that end in a piece of the file; blank lines are none
 */
export async function* csvRecords(
  pieces: AsyncIterable<Buffer>,
  splitting: CsvSplitting,
): AsyncGenerator<CsvRecord[]> {
  const splitter = new Splitter(splitting);
  for await (const piece of pieces) {
    const records = splitter.add(piece);
    if (records.length > 0) yield records;
  }
  yield splitter.end();
}

class Splitter {
  private pending: Buffer = Buffer.alloc(0);
  private line = 1;
  private first: CsvRecord | undefined;
  /** Whether the rest of a record that is too long is passed over. */
  private isSkipping = false;

  constructor(private readonly splitting: CsvSplitting) {}

  add(piece: Buffer): CsvRecord[] {
    this.pending = this.pending.length === 0 ? piece : Buffer.concat([this.pending, piece]);
    const records: CsvRecord[] = [];
    if (this.isSkipping && !this.skipLine()) return records;
    this.take(records, false);
    if (this.pending.length > rowLimits.rowBytes) this.takeTooLong(records);
    return records;
  }

  end(): CsvRecord[] {
    const records: CsvRecord[] = [];
    if (!this.isSkipping) this.take(records, true);
    return records;
  }

  /** Takes the records of what is pending; at the end, the last one needs no line break. */
  private take(records: CsvRecord[], isEnd: boolean): void {
    const { pending, splitting } = this;
    let from = 0;
    while (from < pending.length) {
      const found = recordAt(pending, from, splitting);
      if (found.end === undefined && !isEnd) break;
      const end = found.end ?? pending.length;
      const record = this.record(pending.subarray(from, end), found);
      from = end + 1;
      if (record === undefined) continue;
      this.first ??= record;
      const isBroken = record.isOpen || (record.isMalformed && record.lastLine > record.line);
      if (!isBroken || !this.findWay(record, records, isEnd)) records.push(record);
    }
    this.pending = pending.subarray(Math.min(from, pending.length));
  }

  private record(bytes: Buffer, { isMalformed, isOpen }: Found): CsvRecord | undefined {
    const { newline } = this.splitting;
    const isCrlf = newline === 10 && bytes.at(-1) === 13;
    const line = this.line;
    this.line += 1 + countOf(bytes, newline);
    if (bytes.length === 0 || (isCrlf && bytes.length === 1)) return undefined;
    const lastLine = this.line - 1;
    const isTooLong = bytes.length > rowLimits.rowBytes;
    const kept = isTooLong ? null : isCrlf ? bytes.subarray(0, -1) : bytes;
    return { bytes: kept, line, lastLine, isMalformed, isOpen };
  }

  /** Takes a broken record as its first line, and the others as rows, where they are. False, and nothing, where not. */
  private findWay(broken: CsvRecord, records: CsvRecord[], isEnd: boolean): boolean {
    const { bytes } = broken;
    const start = bytes?.indexOf(this.splitting.newline) ?? -1;
    if (bytes === null || start < 0) return false;
    const rest = new Splitter(this.splitting);
    rest.line = broken.line + 1;
    const rows: CsvRecord[] = [];
    rest.pending = bytes.subarray(start + 1);
    rest.take(rows, isEnd || !broken.isOpen);
    if (rows.length === 0 || this.first === undefined) return false;
    if (!this.splitting.areRows(rows, this.first)) return false;
    const { line } = broken;
    const stray = { bytes: bytes.subarray(0, start), line, lastLine: line };
    records.push({ ...stray, isMalformed: true, isOpen: false });
    for (const row of rows) records.push(row);
    this.line = rest.line;
    this.pending = rest.pending;
    return true;
  }

  /** What is pending is one record, or the beginning of one, that is longer than a row may be. */
  private takeTooLong(records: CsvRecord[]): void {
    const { pending, splitting } = this;
    const found = recordAt(pending, 0, splitting);
    const { line } = this;
    const broken = { bytes: pending, line, lastLine: line, isMalformed: found.isOpen, isOpen: found.isOpen };
    if (found.isOpen && this.findWay(broken, records, false)) return;
    records.push({ ...broken, bytes: null });
    this.isSkipping = true;
    this.skipLine();
  }

  /** False where the line does not end in what is there. */
  private skipLine(): boolean {
    const end = this.pending.indexOf(this.splitting.newline);
    this.pending = end < 0 ? Buffer.alloc(0) : this.pending.subarray(end + 1);
    if (end < 0) return false;
    this.isSkipping = false;
    this.line++;
    return true;
  }
}

interface Found {
  /** Of the record: where its line break is; undefined: it goes on. */
  end: number | undefined;
  isMalformed: boolean;
  isOpen: boolean;
}

function recordAt(bytes: Buffer, from: number, { delimiter, newline }: CsvSplitting): Found {
  const endOf = (at: number) => {
    const end = bytes.indexOf(newline, at);
    return end < 0 ? undefined : end;
  };
  let isMalformed = false;
  let end = endOf(from);
  let at = bytes.indexOf(quote, from);
  while (at >= 0 && (end === undefined || at < end)) {
    const isOpening = at === from || bytes[at - 1] === delimiter;
    if (!isOpening) {
      isMalformed = true;
      at = bytes.indexOf(quote, at + 1);
      continue;
    }
    let close = bytes.indexOf(quote, at + 1);
    while (close >= 0 && bytes[close + 1] === quote) close = bytes.indexOf(quote, close + 2);
    if (close < 0) return { end: undefined, isMalformed, isOpen: true };
    const next = bytes[close + 1];
    const isClosed = next === undefined || next === delimiter || next === newline || next === 13;
    if (!isClosed) isMalformed = true;
    end = endOf(close + 1);
    at = bytes.indexOf(quote, close + 1);
  }
  return { end, isMalformed, isOpen: false };
}

function countOf(bytes: Buffer, byte: number): number {
  let count = 0;
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) count++;
  return count;
}
