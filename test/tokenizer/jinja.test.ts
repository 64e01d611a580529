import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Budget } from '../../src/tokenizer/jinja/budget.js';
import { parseTemplate } from '../../src/tokenizer/jinja/parse-template.js';
import { renderTemplate } from '../../src/tokenizer/jinja/render-template.js';
import { plain } from '../../src/tokenizer/jinja/tagged-text.js';
import { TemplateError } from '../../src/tokenizer/jinja/template-error.js';
import { toValue } from '../../src/tokenizer/jinja/to-value.js';
import type { Value } from '../../src/tokenizer/jinja/values.js';

interface Case {
  template: string;
  /** Null: a place in memory, another one each time. */
  text?: string | null;
  error?: string;
}

const file = fileURLToPath(new URL('../fixtures/chat/expressions.json', import.meta.url));
const source = readFileSync(file, 'utf8').replace('1187263549871234567', '"big"').replace(/\b1\.0\b/, '"one"');
const fixture = JSON.parse(source) as { variables: Record<string, unknown>; cases: Case[] };

/** The variables with the numbers that JSON.parse would change. */
function variables(): [string, Value][] {
  const { messages, ...others } = fixture.variables;
  const list = toValue(messages) as Value[];
  const call = ['tool_calls', 0n, 'function', 'arguments', 'a'].reduce<Value>(
    (found, key) => (Array.isArray(found) ? found[Number(key)]! : (found as { get(key: Value): Value }).get(key)),
    list[2]!,
  ) as Value[];
  call[0] = 1;
  return [
    ['messages', list],
    ...Object.entries(others).map(([name, value]): [string, Value] => [name, toValue(value)]),
    ['big', 1187263549871234567n],
  ];
}

function render(template: string): string {
  return plain(renderTemplate(parseTemplate(template), { variables: variables(), budget: new Budget(4) }));
}

// Python can, this engine says that it cannot.
const declined = fixture.cases.filter(({ text }) => text === null).map(({ template }) => template);
const notSupported = [
  ...declined,
];

describe('small templates, beside what jinja2 makes of them', () => {
  test('there are enough of them', () => {
    expect(fixture.cases.length).toBeGreaterThan(550);
    expect(fixture.cases.filter(({ error }) => error !== undefined).length).toBeGreaterThan(60);
  });

  test.each(fixture.cases.map((one) => [one.template, one] as const))('%j', (template, { text, error }) => {
    if (error === undefined && !notSupported.includes(template)) {
      expect(render(template)).toBe(text);
      return;
    }
    expect(() => render(template)).toThrow(TemplateError);
  });
});
