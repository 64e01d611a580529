import type { Budget } from './budget.js';
import { pythonStr } from './python-str.js';
import { concat, plain, respelled, type Text } from './tagged-text.js';
import { Markup, type Value } from './values.js';

const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' };

/** A value's text, escaped for HTML unless it is marked as safe already. */
export function escaped(value: Value, budget: Budget): Text {
  if (value instanceof Markup) return value.text;
  const text = pythonStr(value, budget);
  return respelled(
    text,
    plain(text).replace(/[&<>'"]/g, (character) => names[character]!),
  );
}

/** Python's markupsafe: what is joined to safe text is escaped, though templates of chats escape nothing otherwise. */
export function joinMarkup(values: readonly Value[], budget: Budget): Markup {
  const parts = values.map((value) => escaped(value, budget));
  budget.text(parts.reduce((sum, part) => sum + plain(part).length, 0));
  return new Markup(concat(parts));
}
