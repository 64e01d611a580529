/** A part of a text: UTF-16 offsets, `end` excluded. */
export interface TextSpan {
  start: number;
  end: number;
}
