import { describe, expect, it } from 'vitest';
import { JsonNumber } from '../../src/common/json-number.js';
import { losslessJson } from '../../src/common/lossless-json.js';

describe('losslessJson', () => {
  it.each([
    '{"user_id":1187263549871234567,"price":1.0,"rate":1e5,"zero":-0,"small":1.50,"n":[1,-2.5,1E+2,1e400]}',
    '{"2":"two","1":"one","10":{"b":1,"1":0,"a":{"3":[],"2":{}}}}',
    '{"__proto__":{"7":1.0},"constructor":2}',
    '{"text":"a \\"quote\\" \\\\ and \\u0000 1.0","\\"5":1,"5":"\\\\"}',
    '[[],{},"",null,true,false,[1.0],{"a":[{}]}]',
    '1.10',
    '"1.10"',
  ])('writes %s as it was', (text) => {
    expect(losslessJson.stringify(losslessJson.parse(text))).toBe(text);
  });

  it('leaves what JavaScript holds exactly to JavaScript', () => {
    const text = '{"a":1,"b":[0.5,-7,1e+21],"c":{"d":"1.0"}}';
    expect(losslessJson.parse(text)).toEqual({ a: 1, b: [0.5, -7, 1e21], c: { d: '1.0' } });
  });

  it('gives numbers that count and compare', () => {
    const { big, one } = losslessJson.parse(' { "big" : 1187263549871234567 , "one" : 1.0 } ') as Record<
      string,
      JsonNumber
    >;
    expect(big).toEqual(new JsonNumber('1187263549871234567'));
    expect([big!.isInteger, one!.isInteger]).toEqual([true, false]);
    expect(Number(one) + 1).toBe(2);
    expect(`${one!.toString()}`).toBe('1.0');
    expect(JSON.stringify({ one })).toBe('{"one":1}');
  });

  it('reads a string of many megabytes', () => {
    const long = 'x\\n"'.repeat(1 << 20);
    expect(losslessJson.parse(JSON.stringify({ 1: long, n: 1 }))).toEqual({ 1: long, n: 1 });
    const text = `{"n":1.0,"s":${JSON.stringify(long)}}`;
    expect(losslessJson.stringify(losslessJson.parse(text)) === text).toBe(true);
  });

  it('refuses what is no JSON', () => {
    expect(() => losslessJson.parse('{"a":NaN}')).toThrow(SyntaxError);
    expect(() => losslessJson.parse('{"a":01}')).toThrow(SyntaxError);
  });
});
