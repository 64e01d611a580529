import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { losslessJson } from '../../src/common/lossless-json.js';
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
const fixture = losslessJson.parse(readFileSync(file, 'utf8')) as {
  variables: Record<string, unknown>;
  cases: Case[];
};

function render(template: string): string {
  const variables = Object.entries(fixture.variables).map(([name, value]): [string, Value] => [
    name,
    toValue(value),
  ]);
  return plain(renderTemplate(parseTemplate(template), { variables, budget: new Budget(4) }));
}

// Python can, this engine says that it cannot.
const declined = fixture.cases.filter(({ text }) => text === null).map(({ template }) => template);
const notSupported = [...declined, "{{ '{:>5}'.format('a') }}", "{{ '0x1f' | int(base=16) }}"];

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
