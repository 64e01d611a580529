import { isPlainObject } from '../../common/is-plain-object.js';

const mark = 'float as spelled: ';
const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * config.json as text, with whole numbers that the source spelled as floats (30.0) spelled so again: JavaScript knows no
 * difference, but transformers 5 refuses 30 where it expects a float.
 *
 * @param source the config.json that `config` was read from; values that have changed since are written as they are
 */
export function configText(config: Readonly<Record<string, unknown>>, source: string): string {
  const original = withText(JSON.parse(source));
  const spelled = withText(JSON.parse(source.replace(tokens, markFloat)));
  const merged = Object.entries(config).map(([key, value]) => {
    const same = JSON.stringify(original[key]) === JSON.stringify(value);
    return [key, same ? spelled[key] : value];
  });
  const text = JSON.stringify(Object.fromEntries(merged), null, 2);
  return `${text.replace(new RegExp(`"${mark}([^"]*)"`, 'g'), '$1')}\n`;
}

/** The keys of a text model inside another are there too. */
function withText(json: unknown): Record<string, unknown> {
  if (!isPlainObject(json)) return {};
  return isPlainObject(json['text_config']) ? { ...json, ...json['text_config'] } : json;
}

function markFloat(token: string): string {
  const isFloat = !token.startsWith('"') && /[.eE]/.test(token) && Number.isInteger(Number(token));
  return isFloat ? JSON.stringify(mark + token) : token;
}
