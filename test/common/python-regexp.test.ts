import { describe, expect, it } from 'vitest';
import { pythonRegExp } from '../../src/common/python-regexp.js';

describe('a regular expression of Python', () => {
  // What re.search finds with Python 3.11.
  it.each([
    ['(?i)^Q_PROJ$', ['q_proj', 'Q_Proj'], ['k_proj']],
    ['^(?i:Q)_proj$', ['q_proj', 'Q_proj'], ['q_PROJ']],
    ['(?i)^a(?-i:b)c$', ['abc', 'AbC'], ['aBc']],
    ['(?i)^[a-c\\d_]+$', ['aB_1', 'C'], ['d']],
    ['^(?P<kind>q|k)_(?P=kind)$', ['q_q', 'k_k'], ['q_k']],
    ['\\Aq\\Z', ['q'], ['q\n', 'aq']],
    ['^a{,2}$', ['', 'a', 'aa'], ['aaa']],
    ['^a{2,}$', ['aa', 'aaa'], ['a']],
    ['^[]a]+$', ['a]', ']'], ['b']],
    ['^[^]a]+$', ['bc'], ['a', ']']],
    ['^a(?#all of it)b$', ['ab'], ['a']],
    ['^a{x}$', ['a{x}'], ['ax']],
    ['^(?:.*\\.)?(?!k)\\w_proj$', ['a.q_proj'], ['a.k_proj']],
    ['(?s)^a.b$', ['a\nb'], []],
  ])('%s', (pattern, fits, others) => {
    for (const text of fits) expect(pythonRegExp(pattern).test(text), text).toBe(true);
    for (const text of others) expect(pythonRegExp(pattern).test(text), text).toBe(false);
  });

  it.each([
    ['(', /./],
    ['(?<name>a)', /Python does not know/],
    ['a++', /possessive/],
    ['a{1,2}+', /possessive/],
    ['(?>a)', /atomic/],
    ['(a)(?(1)b|c)', /condition/],
    ['a(?i)b', /global flags not at the start/],
    ['(?x)a b', /flag x/],
    ['\\q', /bad escape \\q/],
    ['[a', /unterminated/],
    ['a)', /unbalanced/],
  ])('%s is refused', (pattern, message) => {
    expect(() => pythonRegExp(pattern)).toThrow(message);
  });
});
