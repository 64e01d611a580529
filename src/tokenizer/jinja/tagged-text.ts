import { sharedEnds } from '../encode/shared-ends.js';

/** Where a part of a text comes from. Compared by identity. */
export interface Tag {
  kind: string;
}

/** A part of a text with a tag: UTF-16 offsets, `end` excluded. */
export interface TaggedSpan {
  start: number;
  end: number;
  tag: Tag;
}

/** A string that remembers where its parts come from; operations on it keep that. */
export class TaggedText {
  constructor(
    readonly text: string,
    readonly spans: readonly TaggedSpan[],
  ) {}
}

export type Text = string | TaggedText;

export function isText(value: unknown): value is Text {
  return typeof value === 'string' || value instanceof TaggedText;
}

export function plain(text: Text): string {
  return typeof text === 'string' ? text : text.text;
}

export function spansOf(text: Text): readonly TaggedSpan[] {
  return typeof text === 'string' ? [] : text.spans;
}

function made(text: string, spans: readonly TaggedSpan[]): Text {
  return spans.length === 0 ? text : new TaggedText(text, spans);
}

export function concat(parts: readonly Text[]): Text {
  if (parts.every((part) => typeof part === 'string')) return parts.join('');
  const spans: TaggedSpan[] = [];
  let length = 0;
  for (const part of parts) {
    for (const { start, end, tag } of spansOf(part)) {
      const last = spans.at(-1);
      if (last !== undefined && last.tag === tag && last.end === start + length) last.end = end + length;
      else spans.push({ start: start + length, end: end + length, tag });
    }
    length += plain(part).length;
  }
  return made(parts.map(plain).join(''), spans);
}

/** The part from `start` to `end`, in UTF-16 units. */
export function cut(text: Text, start: number, end: number): Text {
  if (typeof text === 'string') return text.slice(start, end);
  const spans = text.spans
    .filter((span) => span.start < end && span.end > start)
    .map(({ start: from, end: to, tag }) => ({
      start: Math.max(from, start) - start,
      end: Math.min(to, end) - start,
      tag,
    }));
  return made(text.text.slice(start, end), spans);
}

/** `changed` is `source` in another spelling (other case, escaped): what is the same at both ends keeps its tags apart. */
export function respelled(source: Text, changed: string): Text {
  if (typeof source === 'string') return changed;
  const { text, spans } = source;
  if (text.length === changed.length) return new TaggedText(changed, spans);
  const before = sharedEnds.leading(text, changed);
  const after = Math.min(sharedEnds.trailing(text, changed), Math.min(text.length, changed.length) - before);
  const shift = changed.length - text.length;
  const moved = spans.map(({ start, end, tag }) => ({
    start: start <= before ? start : start >= text.length - after ? start + shift : before,
    end: end <= before ? end : end >= text.length - after ? end + shift : changed.length - after,
    tag,
  }));
  return made(
    changed,
    moved.filter(({ start, end }) => start < end),
  );
}

/** The text with a further tag on all of it. An empty text keeps none. */
export function tagged(text: Text, tag: Tag): Text {
  const { length } = plain(text);
  return length === 0
    ? text
    : new TaggedText(plain(text), [...spansOf(text), { start: 0, end: length, tag }]);
}

/** UTF-16 offsets of the code points of a text and of its end; undefined where each unit is one. */
export function codePointOffsets(text: string): number[] | undefined {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return undefined;
  const offsets: number[] = [];
  let at = 0;
  for (const character of text) {
    offsets.push(at);
    at += character.length;
  }
  offsets.push(at);
  return offsets;
}

/** Length in code points, as Python counts. */
export function codePointLength(text: Text): number {
  const offsets = codePointOffsets(plain(text));
  return offsets === undefined ? plain(text).length : offsets.length - 1;
}

/** The code points one by one. */
export function characters(text: Text): Text[] {
  const whole = plain(text);
  if (typeof text === 'string') return [...text];
  const offsets = codePointOffsets(whole) ?? Array.from({ length: whole.length + 1 }, (_, index) => index);
  return offsets.slice(0, -1).map((start, index) => cut(text, start, offsets[index + 1]!));
}
