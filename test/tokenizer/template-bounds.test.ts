import { describe, expect, test } from 'vitest';
import type { ChatMessage } from '../../src/events/chat-message.js';
import { ChatTemplate } from '../../src/tokenizer/template/chat-template.js';
import { assistant, user } from './open-tokenizer.js';

const double = (start: string, step: string) =>
  `{% set ns = namespace(x=${start}) %}{% for i in range(100) %}{% set ns.x = ${step} %}{% endfor %}{{ ns.x }}`;
const often = (body: string) =>
  `{% for i in range(100000) %}{% for j in range(100000) %}${body}{% endfor %}{% endfor %}`;

const hostile: [string, string][] = [
  ['a range', '{% for i in range(1000000000) %}x{% endfor %}'],
  ['a list of a range', '{{ range(1000000000) | list }}'],
  ['loops in loops', often('')],
  ['output in loops', often('xxxxxxxxxxxxxxxx')],
  ['a loop through a macro', `{% macro m() %}x{% endmacro %}${often('{{ m() }}')}`],
  ['a string many times', "{{ 'a' * 1000000000000 }}"],
  ['strings of strings', "{% set a = 'a' * 10000000 %}{% set l = [a ~ a ~ a, a * 9] %}{{ l * 1000 }}"],
  ['a list many times', '{{ [0] * 1000000000 }}'],
  ['a text that doubles', double("'a'", 'ns.x + ns.x')],
  ['a text that doubles with ~', double("'a'", 'ns.x ~ ns.x')],
  ['a list that doubles', double('[1]', 'ns.x + ns.x')],
  ['a list of itself twice', double('[1]', '[ns.x, ns.x]')],
  [
    'a tuple of itself twice as a key',
    double('(1,)', '(ns.x, ns.x)').replace('{{ ns.x }}', '{{ {ns.x: 1} }}'),
  ],
  [
    'equal lists of lists',
    double('[1]', '[ns.x, ns.x]').replace('{{ ns.x }}', '{% set a = ns.x %}{{ a == a[:] }}'),
  ],
  ['json of lists of lists', double('[1]', '[ns.x, ns.x]').replace('{{ ns.x }}', '{{ ns.x | tojson }}')],
  ['a power', '{{ 9 ** 999999999 }}'],
  ['a square of squares', double('3', 'ns.x * ns.x')],
  ['join', "{{ (['a'] * 1000000) | join('x' * 1000) }}"],
  ['str.join', "{{ ('x' * 1000).join(['a'] * 1000000) }}"],
  ['replace', "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}"],
  ['replace nothing', "{{ ('a' * 1000000) | replace('', 'b' * 1000000) }}"],
  ['split in loops', `{% set a = 'a ' * 1000000 %}${often('{{ a.split() | length }}')}`],
  ['search in loops', `{% set a = 'a' * 1000000 %}${often("{{ 'b' in a }}")}`],
  ['length in loops', `{% set a = '🙂' * 1000000 %}${often('{{ a | length }}')}`],
  ['an index in loops', `{% set a = '🙂' * 1000000 %}${often('{{ a[i] }}')}`],
  ['case in loops', `{% set a = 'a' * 1000000 %}${often('{% if a.upper() == a %}{% endif %}')}`],
  ['strip in loops', `{% set a = ' ' * 1000000 %}${often('{{ a | trim }}')}`],
  ['tests of characters in loops', `{% set a = ' ' * 1000000 %}${often('{{ a.isspace() }}')}`],
  ['padding', "{{ 'a'.ljust(1000000000000) }}"],
  ['center', "{{ 'a' | center(1000000000000) }}"],
  ['zfill', "{{ 'a'.zfill(1000000000000) }}"],
  ['a width', "{{ '%1000000000000d' % 1 }}"],
  ['digits', "{{ '%.1000000000f' % 1 }}".replace('f', 'd') + often('')],
  ['an indent', '{{ [1] | tojson(indent=1000000000) }}'],
  ['batch', "{{ [1] | batch(1000000000, 'x') | list }}"],
  ['slice', '{{ [1] | slice(1000000000) | list }}'],
  ['a macro that calls itself', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
  ['a loop that calls itself', '{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}'],
  ['brackets', `{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`],
  ['lists', `{{ ${'['.repeat(100_000)}${']'.repeat(100_000)} }}`],
  ['signs', `{{ ${'-'.repeat(100_000)}1 }}`],
  ['a long sum', `{{ 1${' + 1'.repeat(200_000)} }}`],
  ['nots', `{{ ${'not '.repeat(200_000)}1 }}`],
  ['attributes', `{{ a${'.a'.repeat(200_000)} }}`],
  ['blocks', `${'{% if 1 %}'.repeat(50_000)}${'{% endif %}'.repeat(50_000)}`],
  ['a string without end', `{{ '${'a'.repeat(3_000_000)} }}`],
  ['a long source', 'a'.repeat(5_000_000)],
];

describe('templates that ask for too much', () => {
  test.each(hostile)('%s', (_, source) => {
    const template = new ChatTemplate(source, 'hostile.jinja', {});
    expect(() => template.render([user('a')])).toThrow(
      expect.objectContaining({
        code: 'CHAT_TEMPLATE_FAILED',
        message: expect.stringMatching(/hostile\.jinja/),
      }),
    );
  });

  test('long chats and long messages are not too much', () => {
    const template = new ChatTemplate(
      "{% for m in messages %}{{ '<' ~ m.role ~ '>' ~ (m.content | trim).split('</think>')[-1] }}" +
        '{% for n in messages[:20] %}{% if n is none %}{% endif %}{% endfor %}{% endfor %}',
      'long.jinja',
      {},
    );
    const many = Array.from({ length: 5000 }, (__, turn) => [user(`q${turn}`), assistant('a')]).flat();
    expect(template.render(many).parts.filter(({ path }) => path === 'content')).toHaveLength(10_000);
    const long: ChatMessage[] = [user('é'.repeat(20_000_000)), assistant('b')];
    expect(template.render(long).text).toHaveLength(20_000_000 + 1 + '<user><assistant>'.length);
  });

  test('what fails is named, with its line', () => {
    const template = new ChatTemplate("a\n{{ 'x' }}\n{{ messages[0].content + 1 }}", 't.jinja', {});
    expect(() => template.render([user('a')])).toThrow(
      /can only concatenate str \(not "int"\) to str \(in \{\{ messages\[0\]\.content \+ 1 \}\}, line 3\)/,
    );
  });

  test('whose fault it is: the template’s or the row’s', () => {
    const refusing = (source: string, chat: ChatMessage[]) => {
      try {
        return new ChatTemplate(source, 't.jinja', {}).render(chat);
      } catch (error) {
        return (error as { details: { fault: string } }).details.fault;
      }
    };
    expect(refusing('{{ nothing.at.all }}', [user('a')])).toBe('template');
    expect(refusing('{% if %}', [user('a')])).toBe('template');
    const strict =
      "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 is even) %}{{ raise_exception('alternate') }}{% endif %}{% endfor %}";
    expect(refusing(strict, [user('a'), user('b')])).toBe('row');
    expect(refusing('{% for m in messages %}{{ m.name.first }}{% endfor %}', [user('a')])).toBe('template');
    expect(
      refusing(
        "{% for m in messages %}{{ 'x' + m.tool_calls[0].function.name if m.tool_calls else '' }}{% endfor %}",
        [{ ...assistant(''), tool_calls: [{ name: 'f' }] }],
      ),
    ).toBe('row');
  });
});
