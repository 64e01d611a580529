import { isDeepStrictEqual } from 'node:util';

/**
 * The text of a tokenizer_config.json with its `padding_side` set and every other byte as it was. Numbers such as
 * `model_max_length` (10³⁰ written out) would not survive parsing and writing.
 */
export function withPaddingSide(configText: string, side: 'left' | 'right'): string {
  const wanted = { ...(JSON.parse(configText) as Record<string, unknown>), padding_side: side };
  const entry = `"padding_side": ${JSON.stringify(side)}`;
  const candidates = [
    configText.replace(/"padding_side"\s*:\s*("[^"\\]*"|null)/, entry),
    configText.replace('{', `{\n  ${entry},`),
  ];
  // A key of that name deeper inside, or an empty object, would make an edit wrong: check before trusting one.
  const exact = candidates.find((text) => {
    try {
      return isDeepStrictEqual(JSON.parse(text), wanted);
    } catch {
      return false;
    }
  });
  return exact ?? `${JSON.stringify(wanted, null, 2)}\n`;
}
