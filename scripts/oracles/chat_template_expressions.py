"""What jinja2, set up as transformers does for chat templates, makes of small templates: their text, or an error.

    python scripts/oracles/chat_template_expressions.py test/fixtures/chat/expressions.json
"""

import json
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

VARIABLES = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi 🙂 é\n"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"type": "function", "function": {"name": "f", "arguments": {"b": 1, "a": [1.0, True, None, "é<>&'\""]}}}
            ],
        },
        {"role": "tool", "content": "  42  ", "name": "f"},
    ],
    "tools": None,
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "s": "  Hello, World  ",
    "e": "naïve 🙂🙃 café",
    "n": 7,
    "big": 1187263549871234567,
    "f": 2.5,
    "items": ["b", "A", "c", "a"],
    "d": {"z": 1, "a": {"k": [1, 2]}, "10": "ten", "2": "two"},
    "nested": [[1, 2], [3, [4]], []],
    "yes": True,
    "no": False,
    "nothing": None,
}

EXPRESSIONS = r"""
true
none
nothing
yes and 1
no or ''
not yes
1
big
big + 1
-big
1.0
f
1e16
1e15
123456789012345678.0
0.1 + 0.2
1e-5
0.0001
-0.0
1e300 * 1e10
5 / 2
4 / 2
7 // 2
-7 // 2
7 // -2
-7 % 3
7 % -3
-7.5 % 2
7.5 // 2
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
2 ** 100
10 % 3.5
1 / 0
1 // 0
1 % 0
1 + true
true + true
1 + 'a'
'a' + 1
'a' + none
'a' ~ 1
'a' ~ none ~ true ~ 1.0
1 ~ 2
1 + 2 ~ 3
'a' ~ [1, 'x'] ~ {'k': none}
'a' * 3
3 * 'ab'
[1] * 2
'a' * -1
[1] + [2]
(1,) + (2, 3)
[1] + (2,)
{'a': 1} + {}
[1, 'x', none, true, 1.5]
(1,)
()
(1, 'a')
1, 2
[]
{}
{'a': 1, 2: 'b', none: 3, 1.5: 4}
{1: 'a', 1.0: 'b', true: 'c'}
{(1, 2): 3}
{[1]: 2}
d
messages[1]
messages[2].tool_calls
['it\'s', 'say "hi"', 'both \' and "', 'tab\t', 'nl\n', 'é', '\x00', '\u200b']
nested
range(3)
range(2, 8, 3)
range(3) | list
range(5)[2]
range(5) | length
range(100001) | length
range(1000000000)
'abc'[0]
'abc'[-1]
'abc'[5]
'abc'[1:]
'abc'[::-1]
e[6]
e[6:8]
e[::-1]
e[-4:]
e | length
e.upper()
'ß'.upper()
'İ'.lower()
'ΑΣ'.lower()
items[1:3]
items[::-1]
items[::2]
items[-2:]
items[5:]
items[1:][0]
items[10]
items['x']
items[none]
items[true]
nested[1][1][0]
d.a.k[1]
d['a']['k']
d.items
d.keys()
d.values() | list
d.items()
d.items() | list
d | items | list
d.get('q')
d.get('q', 'default')
d.get('z')
d['2']
d.q
d.q.r
d.q is defined
undefined_thing
undefined_thing.x
undefined_thing | length
undefined_thing + 1
undefined_thing ~ 'x'
undefined_thing == none
[undefined_thing]
undefined_thing | default('x')
none | default('x')
none | default('x', true)
'' | d('x', true)
none.x
none[0]
none | length
5 | length
5.x
5[0]
'abc'.foo
s.strip()
s | trim
s.lstrip()
s.rstrip() ~ '|'
'xxaxx'.strip('x')
'xyaxy'.lstrip('yx')
'xyaxy' | trim('xy')
s.split()
s.split(',')
'a b  c'.split(' ')
'a,b,c'.split(',', 1)
'a,b,c'.split(',', maxsplit=1)
'a b c'.split(none, 1)
'a,b,c'.rsplit(',', 1)
'a b c '.rsplit(none, 1)
'a,b,c'.split(',')[-1]
'a'.split('')
'a\nb\r\nc\n'.splitlines()
'a\nb'.splitlines(true)
'aXbXc'.replace('X', '-')
'aXbXc'.replace('X', '-', 1)
'abc'.replace('', '-')
'abc'.startswith('a')
'abc'.startswith(('x', 'a'))
'abc'.endswith('c')
'abc'.startswith(1)
'abcabc'.find('c')
e.find('c')
'abcabc'.rfind('c')
'abc'.index('z')
'abcabc'.count('bc')
', '.join(items)
', '.join([1, 2])
'hello world'.title()
"they're bill's".title()
"they're bill's friends" | title
'hELLO'.capitalize()
'hELLO' | capitalize
'Hello'.swapcase()
'42'.isdigit()
'abc1'.isalnum()
'abc'.isalpha()
'ABC'.isupper()
' '.isspace()
''.isspace()
'7'.zfill(3)
'-7'.zfill(4)
'a'.center(6) ~ '|'
'ab'.ljust(5, '.')
'ab'.rjust(5)
'ab' | center(7) ~ '|'
'a-b-c'.partition('-')
'a-b-c'.rpartition('-')
'prefix-x'.removeprefix('prefix-')
'x.py'.removesuffix('.py')
'{} and {name}'.format(1, name='n')
'{0!r}'.format('a')
'{:>5}'.format('a')
'%s is %d (%.2f)' % ('x', 3, 1.255)
'%5d|%-5s|%05d' % (42, 'ab', 7)
'%s' % [1, 2]
'%s' % none
'%d' % 'x'
'%s %s' % ('a',)
'%s' % ('a', 'b')
'%(a)s' % {'a': 1}
'100%' % ()
'%%' % ()
'%x' % 255
items | length
items | join
items | join(', ')
[1, none, true, 1.0] | join('|')
messages | map(attribute='role') | join(',')
messages | map(attribute='name', default='-') | join(',')
items | map('upper') | list
items | map('upper')
items | sort
items | sort(case_sensitive=true)
items | sort(reverse=true)
[3, 1, 2] | sort
[3, 'a'] | sort
messages | sort(attribute='role') | map(attribute='role') | list
items | unique | list
['a', 'A', 'b'] | unique | list
items | first
items | last
[] | first
[] | last
'' | first
items | reverse | list
'abc' | reverse
items | reverse
items | list
'abc' | list
d | list
d | dictsort
d | dictsort(reverse=true)
{'a': 2, 'b': 1} | dictsort(by='value')
items | batch(3) | list
items | batch(3, 'x') | list
items | slice(3) | list
items | slice(3, 'x') | list
messages | groupby('role') | list | length
messages | groupby('role') | map(attribute='grouper') | list
[1, 2, 3] | sum
[{'v': 1}, {'v': 2}] | sum(attribute='v')
[1, 2] | sum(start=10)
[3, 1, 2] | min
[3, 1, 2] | max
['b', 'A'] | min
[] | max
messages | selectattr('role', 'equalto', 'user') | list | length
messages | selectattr('name') | map(attribute='role') | list
messages | selectattr('name', 'defined') | list | length
messages | rejectattr('role', 'in', ['user', 'tool']) | map(attribute='role') | list
[1, 2, 3, 4] | select('odd') | list
[1, 2, 3, 4] | reject('divisibleby', 2) | list
[0, 1, ''] | select | list
messages | selectattr('role', 'equalto', 'user') | length
(messages | selectattr('role', 'equalto', 'nobody')) and 'truthy'
-3 | abs
-3.5 | abs
(-3) | abs
true | abs
'12' | int
'12.7' | int
'x' | int
'x' | int(5)
3.9 | int
'0x1f' | int(base=16)
'1.5' | float
'x' | float
'1e3' | float
42.55 | round
42.55 | round(1)
2.5 | round
3.5 | round
0.125 | round(2)
42.55 | round(1, 'floor')
42 | round
42.4 | round(method='ceil')
'abc' | upper
'ABC' | lower
none | upper
1 | string
1.0 | string ~ 'x'
none | string
'a b c' | wordcount
'a\nb\n\nc' | indent
'a\nb\n\nc' | indent(2, true)
'a\nb\n\nc' | indent(2, blank=true)
'a\nb' | indent('> ')
'foo bar baz qux' | truncate(9)
'foo bar baz qux' | truncate(9, true)
'foo bar baz qux' | truncate(11)
'abcabc' | replace('b', 'X')
'abcabc' | replace('b', 'X', 1)
123 | replace('2', 'X')
'<a href="x">\'&' | escape
'<b>' | safe
('<b>' | safe) + '<i>'
('<b>' | safe) ~ '<i>'
'<i>' + ('<b>' | safe)
'<' ~ ([1, '"'] | tojson | safe) ~ '>' ~ none
('<b> ' | safe | trim | upper) ~ '<'
('<b>' | safe) == '<b>'
'b' in ('<b>' | safe)
('<b>' | safe) | length
('<b>' | safe).strip('<') + '&'
('<b>' | safe) | replace('<', '[') ~ '<'
['<', ('<b>' | safe)] | join('&')
{'a': '<b>' | safe}
('<b>' | safe) | tojson
(1 | safe) ~ 1
'<' | e | e
none | tojson
true | tojson
1.0 | tojson
1e16 | tojson
big | tojson
'é"\\\n<>&\'/\u2028' | tojson
d | tojson
messages[2].tool_calls[0].function.arguments | tojson
d | tojson(indent=2)
[] | tojson(indent=2)
{'a': [], 'b': {}} | tojson(indent=2)
[1, [2]] | tojson(indent=4)
d | tojson(sort_keys=true)
d | tojson(separators=(',', ':'))
d | tojson(indent=2, separators=(',', ': '))
'é🙂' | tojson(ensure_ascii=true)
'é' | tojson(true)
(1, 2) | tojson
{1: 2, none: 3, true: 4, 1.5: 5} | tojson
{(1, 2): 3} | tojson
undefined_thing | tojson
range(3) | tojson
d.items() | tojson
[1] | tojson(indent='--')
1 < 2 < 3
3 > 2 > 2
1 < 2 == true
1 == 1.0
1 == true
'1' == 1
[1, 2] == [1, 2]
[1] == (1,)
{'a': 1} == {'a': 1.0}
'a' < 'b'
'Z' < 'a'
'🙂' > '￿'
[1, 2] < [1, 3]
1 < 'a'
none < 1
'a' in 'abc'
1 in 'abc'
'b' in items
'z' in d
1 in [1.0]
'a' not in items
none in [none]
not 'a' in items
'x' in none
n is odd
n is even
n is divisibleby 7
n is divisibleby(2)
n is number
true is number
true is integer
1 is integer
1.0 is float
1.0 is integer
'a' is string
none is none
nothing is none
d is mapping
items is mapping
items is sequence
'a' is sequence
d is sequence
1 is sequence
items is iterable
1 is iterable
range(3) is iterable
yes is true
1 is true
no is false
yes is boolean
range is callable
'abc' is lower
'ABC' is upper
'a' is in 'abc'
n is eq 7
n is gt(3)
n is sameas n
nothing is sameas none
'upper' is filter
'nofilter' is filter
'odd' is test
n is not odd
not n is odd
n is odd and n is number
n is nosuchtest
'a' | nosuchfilter
'a' if yes
'a' if no
('a' if no) is defined
'a' if no else 'b'
'a' if no else 'b' if no else 'c'
1 if 1 else 2 if 2 else 3
yes and no or 'x'
0 or '' or []
1 and [] and 2
'con' 'cat'
'a\tb\\n\'"\x41\u00e9\U0001F642\101\q'
0x1F
0b101
0o17
1_000
1_0.5
1.e3
.5
messages[0]['role']
messages[0].role.upper()
messages[-1].content | trim | int + 1
messages | length - 1
(messages | length) - 1
messages[1:] | length
messages[0] is mapping
messages[0].keys() | list
messages[0].copy()
items.append('x')
d.update({})
items.index('c')
items.count('a')
items.index('nope')
''.__class__
d.__class__
namespace(a=1).a
namespace(a=1)
dict(a=1, b=2)
dict([('a', 1)])
dict({'a': 1}, b=2)
range()
range(1.5)
range(3, 0, -1) | list
[1, 2, 3][1:][0]
{'a': {'b': 1}}.a.b
{'a': 1}['a']
{'a': 1,}
[1, 2,]
[1 2]
(1 + 2) * 3
1 + 2 * 3
10 - 2 - 3
2 * 3 % 4
+5
--5
- 5 + 3
5 - -3
n-1
n -1
[1, 2] | map('string') | join('')
[[1, 2], [3]] | map('length') | list
[[1, 2], [3]] | map('first') | list
[{'a': {'b': 1}}] | map(attribute='a.b') | list
[[1, 2]] | map(attribute=0) | list
['a', 'b'] | map('replace', 'a', 'X') | list
items | map('nosuch') | list
items | join(attribute='x')
raise_exception('no')
raise_exception
lipsum
'a' and raise_exception('late')
'a' or raise_exception('never')
""".strip("\n").split("\n")

TEMPLATES = [
    "a\r\nb\r\n",
    "a\r\n{% if yes %}\r\nb\r\n{% endif %}\r\nc",
    "a\rb",
    "a\n",
    "a\n\n",
    "\n",
    "{{ 'a\r\nb' }}",
    "a\n  {% if yes %}\n  b\n  {% endif %}\nc\n",
    "  {% if yes %}x{% endif %}  y",
    "a {%- if yes %} b {%- endif %} c",
    "a {% if yes -%} b {% endif -%} c",
    "a  {{- ' b ' -}}  c",
    "a\n  {{ 'b' }}\nc",
    "a\n  {%+ if yes %}b{% endif %}",
    "{% if yes +%}\nb{% endif %}",
    "a\n  {# note #}\nb",
    "a\n  {#- note -#}\nb",
    "a {# {{ x }} {% if %} #} b",
    "{% raw %}{{ x }} {% if %}{% endraw %}",
    "{%- raw -%}  {{ x }}  {%- endraw -%}  y",
    "{% raw %}\n{{ x }}\n{% endraw %}\ny",
    "a\u00a0{%- if yes %}b{% endif %}",
    "a\ufeff{%- if yes %}b{% endif %}",
    "a\n\u00a0{% if yes %}b{% endif %}",
    "{{ '%}' }}{{ '}}' }}{{ '{{' }}",
    "{{ {'a': {'b': 1}}['a']['b'] }}",
    "{{ {'a': {}}}}",
    "{{ '{%- x -%}' }}",
    "{{ '\n  {% x' }}",
    "{% for i in range(3) %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for i in 'abc' %}{{ loop.index }}{{ i }}{{ loop.revindex0 }} {% endfor %}",
    "{% for m in messages %}{{ loop.index0 }}{{ m.role }}{{ loop.first }}{{ loop.length }}\n{% endfor %}",
    "{% for k in d %}{{ k }} {% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d | dictsort %}{{ k }};{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}",
    "{% for a, b in [1] %}{{ a }}{% endfor %}",
    "{% for a, b in ['xy'] %}{{ a }}-{{ b }}{% endfor %}",
    "{% for i in range(10) if i is odd %}{{ i }}{{ loop.index }}{{ loop.length }} {% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}",
    "{% for i in [1] if i > 1 %}x{% else %}none{% endfor %}",
    "{% for i in range(3) %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in range(3) %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in range(2) %}{% continue %}{% else %}else{% endfor %}",
    "{% for i in nothing %}x{% endfor %}",
    "{% for i in undefined_thing %}x{% else %}empty{% endfor %}",
    "{% for i in 5 %}x{% endfor %}",
    "{% for i in range(3) %}{{ loop.previtem }}{{ loop.nextitem }}|{% endfor %}",
    "{% for i in range(4) %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for i in [1, 1, 2] %}{{ loop.changed(i) }} {% endfor %}",
    "{% for i in [[1, [2]], [3]] recursive %}{% if i is number %}{{ i }}{% else %}({{ loop(i) }}){% endif %}{% endfor %}",
    "{% for i in range(2) %}{% for j in range(2) %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{{ loop.index }}{% endfor %}",
    "{% for i in range(2) %}{{ loop.depth }}{% endfor %}",
    "{% set x = 1 %}{% for i in range(3) %}{{ x }}{% set x = x + 1 %}{% endfor %}{{ x }}",
    "{% for i in range(2) %}{{ y }}{% set y = i %}{{ y }};{% endfor %}{{ y }}",
    "{% set i = 'o' %}{% for i in range(2) %}{{ i }}{% endfor %}{{ i }}",
    "{% set ns = namespace(x=0) %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace() %}{{ ns.q }}|{% set ns.q = 1 %}{{ ns.q }}",
    "{% set d.x = 1 %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% set x %}a{{ n }}b{% endset %}[{{ x }}]",
    "{% set x | upper | trim %} a {% endset %}[{{ x }}]",
    "{% if yes %}{% set x = 1 %}{% endif %}{{ x }}",
    "{% if no %}{% set n = 1 %}{% endif %}{{ n }}",
    "{% if no %}a{% elif yes %}b{% else %}c{% endif %}",
    "{% if undefined_thing %}a{% else %}b{% endif %}",
    "{% if [] %}a{% elif {} %}b{% elif '' %}c{% elif 0.0 %}d{% else %}e{% endif %}",
    "{% if 1 if yes else 0 %}a{% endif %}",
    "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=4, a=5) }}",
    "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m() }}",
    "{% macro m(a) %}x{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}x{% endmacro %}{{ m(1, c=2) }}",
    "{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, c=3) }}",
    "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(7) }}",
    "{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}",
    "{% macro m() %}{{ x }}{% endmacro %}{% for x in [1] %}[{{ m() }}]{% endfor %}",
    "{% macro m() %}{% set q = 1 %}{{ q }}{% endmacro %}{{ m() }}{{ q }}",
    "{% macro m() %} a {% endmacro %}{{ m() | trim }}{{ m()|length }}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}x{% endcall %}",
    "{% macro m() %}{{ caller(1) }}{% endmacro %}{% call(v) m() %}x{{ v }}{% endcall %}",
    "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% filter upper %}a{{ n }}b{% endfilter %}",
    "{% filter replace('a', 'x') | upper %}abc{% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% with %}{% set z = 1 %}{{ z }}{% endwith %}{{ z }}",
    "{% generation %}a{% endgeneration %}b",
    "a  {%- generation -%}  b  {%- endgeneration -%}  c",
    "{% generation %}{% set q = 1 %}{{ q }}{% endgeneration %}{{ q }}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% do items.append(1) %}",
    "{% nosuch %}",
    "{% if yes %}",
    "{{ 1 +",
    "{{ 'a }}",
    "{{ }}",
    "{% endif %}",
    "{% for x in y %}{% endif %}",
    "{% set true = 1 %}",
    "{{ a.b.c }}",
    "{{ (a).b }}",
    "{{ messages.0.role }}",
    "{{ m.content if m is defined else 'none' }}",
    "{% for message in messages %}{{ '<|' ~ message.role ~ '|>' ~ message.content }}{% endfor %}",
    "{% for message in messages %}{{ message.role + ': ' + message.content }}{% endfor %}",
    "{% for message in messages %}{{ (message.content or '') + '|' }}{% endfor %}",
    "{% for t in messages[2].tool_calls %}{{ t.function.name }}({{ t.function.arguments }}){% endfor %}",
    "{% for t in messages[2].tool_calls %}{% for k, v in t.function.arguments | items %}{{ k }}={{ v }};{% endfor %}{% endfor %}",
    "{% for a in messages[2].tool_calls[0].function.arguments.a %}{{ a is string }}{{ a | string }} {% endfor %}",
    "{{ messages[2].content is string }}{{ messages[2].content is none }}{{ messages[2].content }}",
    "{% set m = messages | selectattr('role', 'equalto', 'system') | list %}{{ m[0].content if m else '' }}",
    "{% set g = items | map('upper') %}{{ g | list }}{{ g | list }}",
    "{% set loop_messages = messages[1:] if messages[0].role == 'system' else messages %}{{ loop_messages | length }}",
    "{{ bos_token + messages[0]['content'] | trim + '\\n' }}",
    "{{ 'x' if tools is not none and tools is defined else 'y' }}",
    "{% set x = [] %}{{ x.append(1) }}{{ x }}",
    "{{ '\\n'.join(['a', 'b']) }}",
    "{{ \"a\\nb\" }}{{ 'a\\\\nb' }}",
    "{{ 'multi\nline' }}",
    "{{ 1 }}\n{{ 2 }}\n",
    "{# comment #}\na",
    "{% if yes %}\n\n{% endif %}x",
    "\t {% if yes %}\ta\n\t{% endif %}",
    "{{ loop }}",
    "{% for i in [1] %}{{ loop.nosuch }}{% endfor %}",
    "{% set s = 'abc' %}{{ s[1:] ~ s[0] }}",
    "{{ messages | tojson(indent=4) }}",
]


def render(template: str) -> dict:
    try:
        return {"template": template, "text": _compile_jinja_template(template).render(**VARIABLES)}
    except Exception as error:  # of any kind: which one is part of what is compared
        return {"template": template, "error": type(error).__name__, "message": str(error)[:200]}


if __name__ == "__main__":
    cases = [render("{{ " + one + " }}") for one in EXPRESSIONS] + [render(one) for one in TEMPLATES]
    # What names a place in memory differs from run to run.
    for case in cases:
        if " at 0x" in case.get("text", ""):
            case["text"] = None
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump({"variables": VARIABLES, "cases": cases}, out, ensure_ascii=False, indent=1)
        out.write("\n")
    print(len(cases), "cases,", sum("error" in case for case in cases), "of them errors")
