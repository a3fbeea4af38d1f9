import t from 'tap';
import { createBudget } from '../../src/bytes/limits.ts';
import { checkTemplate } from '../../src/content/jinja/check.ts';
import { SEVERITIES } from '../../src/formats/format.ts';
import { chatTemplates } from '../support/chat-templates.ts';

const check = (template: string) => checkTemplate(template, createBudget());
const worst = (template: string) => {
  const { remarks, understood } = check(template);
  return {
    rules: remarks.map(({ rule }) => rule),
    rank: Math.max(-1, ...remarks.map((r) => SEVERITIES.indexOf(r.severity))),
    understood,
  };
};

t.test('templates in the manner of well-known models pass without a word', async (t) => {
  for (const [name, template] of Object.entries(chatTemplates)) {
    const { remarks, understood } = check(template);
    t.equal(understood, true, `${name} is parsed`);
    t.same(remarks, [], `${name} is quiet`);
  }
});

const HIGH: Readonly<Record<string, string>> = {
  'dunder chain': "{{ ''.__class__.__mro__[1].__subclasses__() }}",
  'dunder item': "{{ messages[0]['__class__']['__mro__'] }}",
  'self globals': '{{ self.__init__.__globals__ }}',
  'gadget object': "{{ lipsum.x['os'].popen('id') }}",
  'cycler without dunder': '{{ cycler.next }}',
  'attr filter': "{{ messages|attr('x') }}",
  'attr with a hidden name': "{{ ''|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
  'octal escapes': "{{ ''['\\137\\137class\\137\\137'] }}",
  'name in two parts': "{{ messages['__cl' ~ 'ass__'] }}",
  'name in two parts by plus': "{{ messages['_' + '_class_' + '_'] }}",
  'map over internals': "{{ [messages]|map(attribute='__class__')|list }}",
  'nested attribute path': "{{ messages|map(attribute='content.__class__')|list }}",
  'map with attr': "{{ messages|map('attr', 'x')|list }}",
  'groupby internals': "{{ messages|groupby('__class__') }}",
  'str.format': "{{ '{0.x}'.format(messages) }}",
  'format filter': "{{ '%c%c'|format(95, 95) }}",
  format_map: "{{ '{a}'.format_map(messages) }}",
  include: "{% include '/etc/passwd' %}",
  import: "{% import 'x' as y %}",
  'from import': "{%- from 'x' import y %}",
  extends: "{% extends 'x' %}",
  'generator frame': '{{ (messages|select).gi_frame }}',
  'call of a call': '{{ messages[0]()() }}',
  'call of an item': "{{ messages['x']() }}",
  'private attribute': '{{ messages._module }}',
  'behind a broken tag': '{{ x.__globals__ }}{% if %}',
  'in a macro': '{% macro f(x) %}{{ x.__class__ }}{% endmacro %}{{ f(1) }}',
  'in a default': '{% macro f(x=().__class__) %}{% endmacro %}',
  'in a slice': '{{ messages[().__class__:] }}',
  'in a test operand': '{% if request.x is defined %}{% endif %}',
  'in a dict key': '{{ {().__class__: 1} }}',
  'in a filter block': '{% filter upper %}{{ config.items() }}{% endfilter %}',
};

t.test('what reaches for the interpreter is a finding of high severity', async (t) => {
  for (const [name, template] of Object.entries(HIGH)) {
    const { rank, rules } = worst(template);
    t.equal(rank, SEVERITIES.indexOf('high'), `${name}: ${rules.join(' ')}`);
  }
});

const MEDIUM: Readonly<Record<string, string>> = {
  'unknown function': '{{ danger() }}',
  'unknown method': '{{ messages.danger() }}',
  'unknown filter': '{{ messages|danger }}',
  'unknown test': '{{ 1 if messages is danger }}',
  'computed attribute': "{{ messages['cla' ~ x] }}",
  'computed through a variable': "{% set k = ['a', 'b']|join %}{{ messages[k] }}",
  'endless range': '{% for i in range(99999999) %}x{% endfor %}',
  'not a template': '{{ ) }}',
};

t.test('what is on no list is a finding of medium severity', async (t) => {
  for (const [name, template] of Object.entries(MEDIUM)) {
    const { rank, rules } = worst(template);
    t.equal(rank, SEVERITIES.indexOf('medium'), `${name}: ${rules.join(' ')}`);
  }
});

t.test('a template that cannot be parsed is not understood', async (t) => {
  for (const broken of ['{% if x %}', '{{ a b }}', "{{ 'x }}", '{% endfor %}', `${'{{ ('.repeat(50_000)}`]) {
    t.equal(check(broken).understood, false, broken.slice(0, 20));
  }
});

t.test('a name that the template binds itself is no gadget', async (t) => {
  t.same(worst('{% set config = messages[0] %}{{ config.role }}').rules, []);
  t.same(worst("{% for request in messages %}{{ request['content'] }}{% endfor %}").rules, []);
});

t.test('limits hold: length, depth, white space', async (t) => {
  t.throws(() => check('x'.repeat(1024 * 1024 + 1)), { code: 'LIMIT_EXCEEDED' });
  t.equal(check(`{{ ${'('.repeat(20_000)}1${')'.repeat(20_000)} }}`).understood, false);
  const start = process.hrtime.bigint();
  check(`${' '.repeat(500_000)}{% ${' '.repeat(400_000)}`);
  check('{{ a }}'.repeat(140_000));
  check(`{{ range(${'1,'.repeat(300_000)}1) }}`);
  t.ok(process.hrtime.bigint() - start < 8_000_000_000n, 'white space takes linear time');
});

const COMPUTED: Readonly<Record<string, string>> = {
  'name in a block': '{% set x %}x{% endset %}{{ messages[x] }}',
  'name from a slice': "{{ messages['x__ssalc__'[::-1]] }}",
  'name from padding': "{{ messages['class'.center(9, '_')] }}",
  'name from the clock': "{{ messages[strftime_now('%Y')] }}",
  'attribute out of a variable': '{{ messages|map(attribute=x)|list }}',
  'filter out of a variable': '{{ messages|map(messages[0].role)|list }}',
  'padding by a method': "{{ 'x'.ljust(9999999999) }}",
  'padding by a filter': "{{ 'x'|center(9999999999) }}",
  'padding by a format': "{{ '%9999999999d' % 1 }}",
  'loops in loops': '{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}',
};

t.test('computed names and counts that exhaust are findings of medium severity at least', async (t) => {
  for (const [name, template] of Object.entries(COMPUTED))
    t.ok(worst(template).rank >= SEVERITIES.indexOf('medium'), `${name}: ${worst(template).rules}`);
});
