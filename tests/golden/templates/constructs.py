# SPDX-License-Identifier: GPL-3.0-or-later
"""Small templates, one construct each, and the variables that they see."""

VARIABLES = {
    "n": 3, "z": 0, "neg": -7, "x": 2.5, "big": 1e20, "tiny": 1e-7, "t": True, "f": False, "no": None,
    "s": "Hello World", "empty": "", "sp": "  pad \n", "u": "Straße ÄÖ 한 🙂", "q": "it's \"q\" \\ \n\t\x01",
    "csv": "a,b,,c", "words": " one  two\tthree ", "lines": "l1\nl2\r\nl3\n\nl5",
    "xs": [3, 1, 2], "ss": ["b", "A", "c", "a"], "mixed": [1, "a", None, True, 2.5, [1], {"k": 1}],
    "nest": [[1, 2], [3], []], "d": {"b": 1, "a": 2, "C": 3}, "dd": {"k": {"v": [1, {"w": "deep"}]}},
    "people": [{"name": "Ann", "age": 31, "tags": ["x"], "job": {"title": "cook"}},
               {"name": "bob", "age": 25, "tags": [], "job": {"title": "Ape"}},
               {"name": "Cy", "age": 31, "tags": ["x", "y"], "job": {"title": "dean"}}],
    "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}, {"v": 5, "c": []}],
    "html": "<a href=\"x\">&'</a>",
}

# Whitespace.
SOURCES = [
    "a\n{% if t %}\nb\n{% endif %}\nc\n", "a\n  {% if t %}  \nb\n  {% endif %}\nc", "  {{ n }}  \n  {{ n }}\n",
    "a {%- if t %} b {%- endif %} c", "a {% if t -%} b {% endif -%} c", "a\n  {{- n -}}  \n b",
    "a {#- c -#} b", "a\n  {# c #}\nb", "a\n  {# c #}  \nb", "x{#+ c #}y", "  {%+ if t %}x{% endif %}",
    "  {%- if t +%}\nx{% endif %}", "{% if t +%}\nx{% endif +%}\ny", "\n\n{% if t %}\n\n\nx\n\n{% endif %}\n\n",
    "a\r\n{% if t %}\r\nb\r\n{% endif %}\r\n", "a\rb\r\n", "tail\n\n", "tail\n", "\n", "", "   ",
    "{% raw %}{{ n }}{% x %}{% endraw %}", "a\n  {% raw %}\n  {{ n }}\n  {% endraw %}\nb", "{%- raw -%}  x  {%- endraw -%}  y",
    "{# multi\nline\ncomment #}{{ n }}", "{% for i in xs %}\n  {{ i }}\n{% endfor %}\n", "\t{% if t %}\tx{% endif %}",
    "x  {% if t %}y{% endif %}  {% if t %}\n  z{% endif %}", "{{ '{{' }}{{ '%}' }}{{ \"}}\" }}", "{{ {'a': {'b': 1}}.a.b }}",
    "{{n}}{{-n}}{{ -n }}", "{%if t%}x{%endif%}", "{{ n\n }}{{\n n }}", "a \u00a0{%- if t %}x{% endif %}", "{ { n } } {n} %} }} #}",
]
# Literals and printing.
SOURCES += ["{{ %s }}" % e for e in [
    "1", "1_000", "1.5", "1e3", "1.0", "2.5e-7", "1E+2", "'a' 'b'", "\"a\\n\\t\\\\\\\"\"", "'\\x41\\u00e9\\U0001F642\\101\\q'",
    "true", "True", "none", "None", "false", "[]", "[1, 2, ]", "(1,)", "()", "(1, 'a')", "1, 2", "{}", "{'a': 1, 'b': [none]}",
    "[true, none, 1.0, 'x', \"it's\"]", "q", "[q]", "[u]", "mixed", "d", "dd", "big", "tiny", "1e16", "123456789.125", "0.1 + 0.2",
    "1e15 * 10", "100000000000000000.0", "1.5e300 * 1e10", "-0.0", "x", "[x, big, tiny]", "undefined_name", "'%s' % undefined_name",
    "[undefined_name]", "d.missing", "d['missing']", "xs[10]", "people[0].nope", "html", "html | e", "s | safe",
    "['\\u200b', '\\u00a0', '\\ue000', '\\U0001F642', '\\x7f', 'é']", "9223372036854775807", "{1: 'a', none: 'b', true: 'c', 2.5: 'd'}",
]]
# Operators.
SOURCES += ["{{ %s }}" % e for e in [
    "1 + 2 * 3", "(1 + 2) * 3", "7 // 2", "-7 // 2", "7 // -2", "neg % 3", "7 % -3", "7.5 % 2", "-7.5 // 2", "7 / 2", "6 / 2",
    "2 ** 10", "2 ** -1", "2 ** 3 ** 2", "-2 ** 2", "2 ** 0.5", "n - -n", "+n", "- - n", "true + 1", "'a' + 'b'", "'ab' * 3", "3 * 'ab'",
    "'x' * 0", "'x' * -2", "[1] + [2]", "[0] * 3", "(1,) + (2,)", "'a' ~ 1 ~ none ~ true ~ [1]", "1 ~ 2", "'%s-%d' % ('a', 5)",
    "'%5.2f|%-6s|%06d|%x' % (3.14159, 'ab', 42, 255)", "'%s' % 'x'", "'%r' % 'x'", "'100%%' % ()", "1 < 2 < 3", "1 < 3 < 2", "3 > 2 >= 2 != 1",
    "1 == 1.0", "1 == true", "'a' == \"a\"", "[1, 2] == [1, 2]", "(1,) == [1]", "{'a': 1} == {'a': 1.0}", "none == false", "'a' < 'b'", "'B' < 'a'",
    "[1, 2] < [1, 3]", "'é' > 'z'", "2 in xs", "9 not in xs", "'ell' in s", "'b' in d", "1 in d", "not t", "not not n", "t and n", "z or 'default'",
    "no or empty or 'last'", "t and f or n", "not f and t", "n if t else 'no'", "n if f else 'no'", "n if f", "1 if f else 2 if f else 3",
    "'a' if t and not f else 'b'", "s == 'x' or n == 3 and t", "not 1 in xs", "n in [1, 2, 3] and n not in (4, 5)", "undefined_name == missing",
    "undefined_name is defined or true", "undefined_name and 1", "'x' in undefined_name", "n * x", "n + x", "7 // 2.0", "1 / 3", "10 % 3.5", "abs is defined",
    "'a' in ['a', 'b']", "none in [none]", "'' in 'abc'", "2 ** 62", "5 - 2 - 1", "100 // 7 % 4", "1 + 1 ~ 2 + 2", "1 - 1 | string", "-1 | abs", "-n | abs", "(-n) | abs",
]]
# Access, slices, methods.
SOURCES += ["{{ %s }}" % e for e in [
    "d.a", "d['a']", "dd.k.v[1].w", "dd['k']['v'][0]", "xs[0]", "xs[-1]", "xs.0", "s[0]", "s[-1]", "u[4]", "u[-1]", "xs[1:]", "xs[:-1]", "xs[::-1]", "xs[::2]",
    "s[2:5]", "s[-5:]", "s[::-1]", "s[10:2:-2]", "u[3:8]", "s[:100]", "s[5:1]", "(1,2,3)[1:]", "xs[5:]", "s[-100:3]", "xs[:none]", "xs[1:][0]",
    "d.items()", "d.items() | list", "d.keys() | list", "d.values() | list", "d.get('a')", "d.get('zz')", "d.get('zz', 5)", "d.get('zz') is none",
    "s.upper()", "s.lower()", "s.title()", "u.upper()", "u.lower()", "'hELLO wORLD'.capitalize()", "\"they're bill's\".title()", "sp.strip()", "sp.lstrip()", "sp.rstrip()", "'xxaxx'.strip('x')",
    "'xyaxy'.lstrip('yx')", "'abc'.rstrip('c')", "csv.split(',')", "csv.split(',', 1)", "csv.rsplit(',', 1)", "words.split()", "words.split(none, 1)", "words.rsplit(none, 1)", "'a--b'.split('--')",
    "lines.splitlines()", "lines.splitlines(true)", "s.startswith('Hell')", "s.endswith('ld')", "s.startswith(('x', 'H'))", "s.replace('l', 'L')", "s.replace('l', 'L', 2)", "'abc'.replace('', '-')",
    "s.find('World')", "s.find('zzz')", "s.rfind('o')", "u.find('한')", "s.count('l')", "'-'.join(['a', 'b'])", "','.join('abc')", "'5'.zfill(3)", "'-5'.zfill(4)", "'a'.center(5, '*')", "'ab'.center(5)",
    "'a'.ljust(3) ~ '|'", "'a'.rjust(3)", "'abc'.isalpha()", "'a1'.isalnum()", "'12'.isdigit()", "' '.isspace()", "''.isdigit()", "'Ab'.isupper()", "'AB'.isupper()", "'ab1'.islower()", "s.removeprefix('Hello ')", "s.removesuffix('World')",
    "s.partition(' ')", "s.rpartition('o')", "'abc'.partition('x')", "'abc'.rpartition('x')", "xs.index(1)", "xs.count(2)", "s.index('W')", "'a b'.split(' ')[1].upper()", "s.strip is defined", "s.nope is defined", "d.items is defined", "csv.split(sep=',', maxsplit=2)",
    "'ß'.upper()", "'İ'.lower()", "'ﬁ'.upper()", "'x' 'y'.upper()", "'\u2003a\u3000'.strip()", "('a', 'b')[0]", "people[0]['job'].title", "'a,b'.split(',') | last", "'{}'.strip('{}')", "words.split() | length",
]]
# Filters.
SOURCES += ["{{ %s }}" % e for e in [
    "s | upper", "s | lower", "'foo bar-baz (qux' | title", "s | capitalize", "sp | trim", "'xax' | trim('x')", "xs | length", "s | length", "u | length", "d | length", "xs | count",
    "xs | first", "xs | last", "s | first", "empty | first", "[] | last is undefined", "xs | join", "xs | join(', ')", "people | join('|', attribute='name')", "['a', 1, none] | join('-')",
    "xs | sort", "xs | sort(reverse=true)", "ss | sort", "ss | sort(case_sensitive=true)", "people | sort(attribute='age') | map(attribute='name') | list", "people | sort(attribute='age,name', reverse=true) | map(attribute='name') | join(',')",
    "people | sort(attribute='job.title') | map(attribute='name') | list", "xs | reverse | list", "s | reverse", "xs | sum", "people | sum(attribute='age')", "[1, 2.5] | sum", "xs | min", "xs | max", "ss | min", "ss | max", "people | max(attribute='age')", "[] | max is undefined",
    "[3, 3.0, 1, 'a', 'A'] | unique | list", "['a', 'A', 'b'] | unique(case_sensitive=true) | list", "people | unique(attribute='age') | map(attribute='name') | list", "xs | list", "s | list", "d | list", "(1, 2) | list",
    "people | map(attribute='name') | list", "people | map(attribute='nope', default='-') | list", "people | map(attribute='job.title') | list", "ss | map('upper') | list", "xs | map('string') | join('+')", "['a b', 'c'] | map('replace', ' ', '_') | list",
    "xs | select | list", "[0, 1, '', 'x', none] | select | list", "xs | select('odd') | list", "xs | reject('odd') | list", "xs | select('gt', 1) | list", "xs | select('in', [1, 2]) | list", "people | selectattr('tags') | map(attribute='name') | list",
    "people | selectattr('age', 'equalto', 31) | map(attribute='name') | list", "people | rejectattr('age', 'eq', 31) | map(attribute='name') | list", "people | selectattr('name', 'in', ['Cy']) | list | length", "people | selectattr('nope', 'defined') | list", "people | rejectattr('tags') | map(attribute='name') | list",
    "d | items | list", "d | dictsort", "d | dictsort(case_sensitive=true)", "d | dictsort(by='value', reverse=true)", "xs | batch(2) | list", "xs | batch(2, 'x') | list", "[1,2,3,4,5,6,7] | slice(3) | list", "[1,2,3,4] | slice(3, 'x') | list", "people | groupby('age') | map('first') | list",
    "undefined_name | default('d')", "empty | default('d')", "empty | default('d', true)", "no | default('d')", "no | d('d', boolean=true)", "undefined_name | default", "'12' | int", "'1.9' | int", "'zz' | int", "'zz' | int(5)", "'0x1F' | int(base=16)", "'ff' | int(0, 16)", "2.9 | int", "-2.9 | int", "true | int", "' 42 ' | int", "no | int(7)",
    "'1.5' | float", "'zz' | float", "3 | float", "'1e3' | float", "n | string", "no | string", "[1] | string", "-3 | abs", "neg | abs", "2.5 | round", "3.5 | round", "2.567 | round(2)", "2.5 | round(0, 'floor')", "2.1 | round(method='ceil')", "7 | round", "-2.5 | round", "1234 | round(-2)", "42.55 | round(1)",
    "s | replace('l', 'L')", "s | replace('o', '0', 1)", "html | escape", "s | wordcount", "'a-b c_d é' | wordcount", "lines | indent", "lines | indent(2, true)", "lines | indent('> ', blank=true)", "'one' | indent(2)", "'a\\n' | indent(2) ~ '|'", "s | truncate(8)", "s | truncate(8, true)", "s | truncate(8, true, '…', 0)", "s | truncate(100)", "'foo bar baz qux' | truncate(9, leeway=0)", "s | center(20) ~ '|'",
    "'%s is %d' | format('x', 5)", "s | list | length", "xs | tojson", "d | tojson", "dd | tojson(indent=2)", "q | tojson", "u | tojson", "u | tojson(ensure_ascii=true)", "html | tojson", "mixed | tojson", "[] | tojson(indent=2)", "{} | tojson(indent=4)", "d | tojson(sort_keys=true)", "d | tojson(separators=(',', ':'))", "[1.0, 1e20, 0.1, none, true] | tojson", "{1: 2, none: 3, true: 4, 1.5: 5} | tojson", "people[0] | tojson(indent=4)", "(1, 'a') | tojson", "dd | tojson(indent='--')", "'\\x7f\\u2028' | tojson", "[[], {}, [[]]] | tojson(indent=1)",
    "xs | first | string | length", "xs | map('abs') | sum", "(xs | sort)[0]", "ss | map('lower') | unique | sort | join", "undefined_name | length", "undefined_name | list", "undefined_name | upper", "undefined_name | join(',')", "s | map('upper') | join('.')", "people | map(attribute='tags') | map('length') | list", "d | map('upper') | list", "xs | e", "'<' | safe | upper", "nest | sum(start=[])", "nest | map('first', ) | list | length", "xs | random is defined or true",
]][:-1]
# Tests.
SOURCES += ["{{ %s }}" % e for e in [
    "n is defined", "nope is defined", "nope is undefined", "no is none", "n is not none", "s is string", "n is string", "d is mapping", "xs is mapping", "xs is iterable", "s is iterable", "n is iterable", "xs is sequence", "d is sequence", "n is sequence", "n is number", "x is number", "t is number", "n is integer", "t is integer", "x is integer", "x is float", "t is boolean", "n is boolean", "t is true", "n is true", "f is false", "z is false",
    "n is odd", "n is even", "n is divisibleby 3", "n is divisibleby(2)", "n is eq 3", "n is equalto(3)", "n is ne 4", "n is lt 4", "n is gt 4", "n is ge 3", "n is le 2", "n is in [1, 3]", "'a' is in 'cat'", "n is not in [1]", "'abc' is lower", "'ABC' is upper", "s is upper", "none is sameas none", "n is sameas 3", "range is callable", "s is callable", "'upper' is filter", "'nope' is filter", "'odd' is test", "nope is string", "nope is iterable", "nope is mapping", "d.a is defined and d.zz is not defined", "not nope is defined", "n is defined and n > 2", "n is number and not n is string", "xs is defined and xs is not string", "s is string or n is string", "n is greaterthan 2", "n is lessthan 2", "xs | length is gt 2", "d['a'] is eq d.a", "(xs | map('string')) is iterable",
]]
# Statements and scopes.
SOURCES += [
    "{% for i in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}",
    "{% for i in xs %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}", "{% for i in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for i in [1,1,2] %}{{ loop.changed(i) }}{% endfor %}",
    "{% for i in xs if i > 1 %}{{ i }}/{{ loop.length }} {% endfor %}", "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in xs if i > 9 %}x{% else %}none{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for c in 'añ🙂' %}{{ c }}.{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for i in nope %}x{% endfor %}ok", "{% for i in xs %}{% for j in xs %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}", "{% for i in xs %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "{% for i in xs %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in range(5) %}{{ i }}{% endfor %}", "{% for i in range(2, 8, 3) %}{{ i }}{% endfor %}", "{% for i in range(3, 0, -1) %}{{ i }}{% endfor %}", "{{ range(3) | list }}", "{% for i in xs %}{% set y = i %}{% endfor %}{{ y }}", "{% set y = 0 %}{% for i in xs %}{% set y = y + i %}{{ y }}{% endfor %}{{ y }}", "{% set ns = namespace(y=0) %}{% for i in xs %}{% set ns.y = ns.y + i %}{% endfor %}{{ ns.y }}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ ns.c }}", "{% set ns = namespace() %}{% set ns.l = [] %}{% for i in xs %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.l }}", "{% if t %}{% set y = 5 %}{% endif %}{{ y }}", "{% if f %}{% set n = 5 %}{% endif %}{{ n }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set a %}x{{ n }}y{% endset %}{{ a }}", "{% set a | upper | trim %}  x  {% endset %}[{{ a }}]",
    "{% set a %}{% set b = 1 %}{% endset %}{{ b }}", "{% if f %}a{% elif t %}b{% else %}c{% endif %}", "{% if f %}a{% elif f %}b{% else %}c{% endif %}", "{% if f %}a{% elif f %}b{% elif z %}c{% endif %}", "{% if nope %}a{% else %}b{% endif %}", "{% if xs and d and s %}yes{% endif %}", "{% if [] or {} or '' or 0 or 0.0 or none %}a{% else %}b{% endif %}", "{% if not xs %}a{% endif %}b", "{% if t: %}a{% endif %}",
    "{% macro m(a, b=2, c='x') %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 5) }}{{ m(c='z', a=0) }}{{ m() }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}", "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{{ n }}{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ a }}+{{ b }}{% endcall %}", "{% macro m(x) %}{{ x }}{% if x > 0 %}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(3) }}",
    "{% macro m() %}{{ y }}{% endmacro %}{% set y = 1 %}{{ m() }}{% set y = 2 %}{{ m() }}", "{% macro m(y) %}{% set y = 9 %}{{ y }}{% endmacro %}{{ m(1) }}{{ y }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(4) }}", "{% for i in xs %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro a() %}A{% endmacro %}{% macro b() %}{{ a() }}B{% endmacro %}{{ b() | lower }}{{ b().upper() }}", "{{ m is defined }}{% macro m() %}{% endmacro %}{{ m is defined }}",
    "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with %}{% set q2 = 1 %}{{ q2 }}{% endwith %}{{ q2 }}", "{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% filter upper %}abc {{ s }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}banana{% endfilter %}", "{% generation %}x{% set y = 1 %}{% endgeneration %}{{ y }}", "{% block body %}x{{ n }}{% endblock %}", "{% block body %}x{% endblock body %}",
    "{% for i in tree recursive %}{{ i.v }}{% if i.c %}({{ loop(i.c) }}){% endif %}{{ loop.depth }}{% endfor %}", "{% print n, s %}", "{{ dict(a=1, b=2) }}", "{{ dict(d, z=1) | tojson }}", "{{ strftime_now('%Y-%m-%d %H:%M:%S %A %B %j %%') }}", "{{ strftime_now('%d %b %Y') }}", "{{ strftime_now('') }}|", "{% set loop = 5 %}{{ loop }}", "{% for i in xs %}{% set outer = loop %}{% for j in xs %}{{ outer.index }}{% endfor %}{% endfor %}",
    "{% for i in xs %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}", "{% for p in people | sort(attribute='name') %}{{ p.name }}{% endfor %}", "{% for i in xs[1:] + [9] %}{{ i }}{% endfor %}", "{% for i in 1, 2, 3 %}{{ i }}{% endfor %}", "{% for n in xs %}{{ n }}{% endfor %}{{ n }}", "{% for i in xs %}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "{% set n = n + 1 %}{{ n }}", "{% for x in xs %}{% if loop.first %}{% set w = 'w' %}{% endif %}{{ w }}.{% endfor %}",
    "{% set s = s.split(' ') %}{{ s[0] }}{{ s | length }}", "{% if 'a' in d and d.a %}{{ d.a }}{% endif %}", "{% if xs | length > 2 %}big{% endif %}", "{% if people | selectattr('age', 'gt', 99) %}gen{% endif %}", "{% if people | selectattr('age', 'gt', 99) | list %}a{% else %}b{% endif %}", "{% if (people | selectattr('age', 'gt', 30) | list | length) == 2 %}two{% endif %}", "{% set a = {'k': n} %}{{ a.k }}{{ a['k'] }}", "{{ 'x' if nope is defined else 'y' }}{{ ('a' if t) ~ 'b' }}",
    "{% set a = namespace(d={}) %}{% set a.d = dict(a.d, k=1) %}{{ a.d }}", "{{ [1, 2, 3][n - 2] }}{{ 'abc'[-n:] }}", "{% for m in people %}{{ m['name'] }}{% if m.tags %}{{ m.tags | join(',') }}{% endif %};{% endfor %}", "{{ none | default('x') }}{{ (none or 'y') }}", "{% set m = people[0] %}{{ m.name + ' ' ~ m.age }}", "{%- for i in xs -%}\n  {{ i }}\n{%- endfor -%}", "{% for i in xs -%}\n  {{- i }}\n{% endfor %}", "{% set a = [1, 2] %}{% set b = a + [3] %}{{ a }}{{ b }}", "{{ {'a': 1}.a }}{{ [{'b': 2}][0].b }}", "{{ (1, 2) + (3,) }}{{ ((1)) }}",
]
# Errors: what goes wrong, and in which line.
SOURCES += [
    "a\n{{ n + }}", "{% if t %}\nx", "{% for i in xs %}\n{% endif %}", "\n\n{% nope %}", "{{ n }\n}", "a\n\n{{ s | nofilter }}", "{{ n is notest }}", "{% set %}", "{% set 1 = 2 %}", "{% set true = 2 %}", "{{ 'open }}", "{# open", "{% raw %} x", "{{ n", "{% if", "{{ (1 }}", "{{ 1) }}", "{{ [1 }}", "{{ a.b. }}", "{{ a[ }}", "{% break %}", "{% endfor %}", "{% else %}", "{% include 'x' %}", "{{ n ? 1 }}", "{{ m(a=1, 2) }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% call n %}{% endcall %}", "{% for in xs %}{% endfor %}", "{% for i of xs %}{% endfor %}", "{{ }}", "{% %}", "{% if t %}{% else %}{% else %}{% endif %}", "{{ n is odd is even }}", "{% set a.b = 1 %}",
    "a\nb {{ nope.x }}", "\n{{ nope() }}", "{{ 1 / 0 }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "\n\n{{ 1 + 'a' }}", "{{ 'a' + 1 }}", "{{ nope + 1 }}", "{{ 'a' + nope }}", "{{ 'a' < 1 }}", "{{ none < 1 }}", "{{ xs.append(1) }}", "{{ d.update({}) }}", "{{ n() }}", "{{ s.nope() }}", "{{ xs['a'].b }}", "{% for i in n %}{% endfor %}", "{% for i in no %}{% endfor %}", "{% for a, b in xs %}{% endfor %}", "{% set a, b = xs %}", "{{ raise_exception('my\nown words') }}", "\n{% if t %}\n{{ raise_exception('no: ' ~ s) }}{% endif %}", "{{ xs | sort(attribute='a.b') }}", "{{ ['a', 1] | sort }}", "{{ nope | tojson }}", "{{ [range] | tojson }}", "{{ 5 | length }}", "{{ none | join }}", "{{ range(1000000) }}", "{{ range() }}", "{{ s.split('') }}", "{{ ','.join([1]) }}", "{{ s | indent(none) }}", "{{ -s }}", "{{ {[]: 1} }}", "{{ [] in {} }}", "{{ 1 in 5 }}", "{{ 1 in 'a' }}", "{{ '%d' % 'a' }}", "{{ '%s %s' % 'a' }}", "{{ '%s' % ('a', 'b') }}", "{{ xs[::0] }}", "{% macro m(a) %}{{ a.b }}{% endmacro %}\n{{ m() }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", "{{ namespace(_a=1) }}", "{% set n.a = 1 %}", "{{ s | replace }}", "{{ s | upper(1) }}", "{{ n | items | list }}", "{{ people | map('nofilter') | list }}", "{{ people | selectattr('age', 'notest') | list }}", "{{ (nope | default(none)).x.y }}", "{% for i in xs %}\n{{ i.a.b }}\n{% endfor %}", "{{ dict(1) }}", "{{ d.items(1) }}", "{{ xs | first(1) }}", "{{ 'abc'.index('z') }}", "{{ xs.index(99) }}", "{{ xs | batch }}", "{{ 2 ** 'a' }}", "{{ [1] * 'a' }}", "{{ [1] + (2,) }}", "{{ xs | map('abs') | tojson }}", "{{ none | map('upper') | list }}{{ none | selectattr('x') | list }}{{ 0 | select | list }}", "{{ 5 | map('abs') | list }}", "{{ xs | map('abs') | length }}", "{{ (xs | map('abs'))[0] }}",
]
