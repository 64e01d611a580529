import { expect, test } from 'vitest';
import { locateJsonError } from '../../src/data/read/locate-json-error.js';

const good = '{"a":[1,-2.5e+3,true,false,null,{"b":"\\u00e9\\n\\"x"},[],{}],"c":0}';

test('agrees with JSON.parse on what is valid, for every one-character change of a text', () => {
  let broken = 0;
  for (let at = 0; at < good.length; at++) {
    for (const change of ['', ',', '"', '}', ']', '\\', '0', 'e', ' ', '\n']) {
      const text = good.slice(0, at) + change + good.slice(at + 1);
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
        broken++;
      }
      expect(locateJsonError(text) === undefined, text).toBe(valid);
    }
  }
  expect(broken).toBeGreaterThan(300);
});

test('the place agrees with V8 where its message has one, but for numbers and escapes, which are marked at their start', () => {
  for (let end = 1; end < good.length; end++) {
    const text = `${good.slice(0, end)}?`;
    const said = (() => {
      try {
        JSON.parse(text);
      } catch (error) {
        return /position (\d+)/.exec(String(error))?.[1];
      }
    })();
    if (said !== undefined && !/(\d|-|\.|e|\+|\\\w*)\?$/.test(text))
      expect(locateJsonError(text), text).toBe(Number(said));
  }
});
