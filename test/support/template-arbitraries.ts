/**
 * Random templates, most of them nearly right: a grammar of actions over the data below with arguments of the types that
 * functions want, now and then of another, and now and then a text that is broken. Left out is what Go 1.19 has not, what
 * no two runs of Go print alike (addresses), and slices of slices, which Go can make longer again.
 */
import fc from 'fast-check';

/** What the templates refer to, in the form of a vector. */
export const SOME_DATA = {
  a: { $int: 7 },
  f: 2.5,
  s: 'héllo, wörld',
  e: '',
  t: true,
  nil: null,
  list: [1, 'two', null, true, [3, 'x'], { k: 'v' }],
  m: { x: 1, y: 'why', z: { deep: ['d'] } },
  strs: { $strings: ['bb', 'a', 'ccc', ''] },
  kvs: {
    $kvs: [
      ['/k/one', '1'],
      ['/k/three', '3'],
    ],
  },
  texts: { $texts: { one: '1', two: '2' } },
};

export const SOME_STORE = { '/k/one': '1', '/k/two': '{"a":[1,2]}', '/k/sub/x': 'deep', '/other': 'o' };

type Kind = 'string' | 'int' | 'strings' | 'any' | 'map' | 'key';

/** Operands that are of a kind and cost nothing. */
const ATOMS: Readonly<Record<Kind, readonly string[]>> = {
  string: ['.s', '.e', '.m.y', '.texts.one', '"a,b"', '"str"', '""', '`raw "q"`', '"é\\n\\x01"', '$w'],
  int: ['.a', '0', '1', '-3', '42', "'q'", '0x1F', '9223372036854775807', '1.0', '$v'],
  strings: ['.strs', '(split .s ",")', '(getvs "/k/*")', '(ls "/k")'],
  any: [
    '.',
    '$',
    '.list',
    '.m',
    '.kvs',
    '.nil',
    '.missing',
    '.f',
    '.t',
    '1.5',
    '1e3',
    '2i',
    'true',
    '.m.z.deep',
    '.m.no',
    '.texts',
  ],
  map: ['.m', '.texts', '.m.z', '(map "x" 1)', '(json "{\\"a\\":[1,{}]}")'],
  key: ['"/k/*"', '"/k/one"', '"/no"', '"/k"', '"/other"', '"[a"'],
};
const WRONG = ['.s.x', '.list.x', 'nil', '.m.x', '$v.x', '.missing.x', '18446744073709551615'];

/** Functions by what they give, each with the kinds that it takes; `*` is any number of anything. */
const CALLS: Readonly<Record<Kind, readonly string[]>> = {
  string: [
    'toUpper string',
    'toLower string',
    'print *',
    'println *',
    'html *',
    'js *',
    'urlquery *',
    'join strings string',
    'replace string string string int',
    'trimSuffix string string',
    'base string',
    'dir string',
    'base64Encode string',
    'base64Decode string',
    'getv key',
    'getv key string',
    'index strings int',
    'index any int',
    'index map string',
  ],
  int: [
    'len any',
    'len string',
    'len strings',
    'add int int',
    'sub int int',
    'mul int int',
    'div int int',
    'mod int int',
    'atoi string',
    'index string int',
  ],
  strings: [
    'split string string',
    'getvs key',
    'ls key',
    'lsdir key',
    'reverse strings',
    'sortByLength strings',
  ],
  any: [
    'and any any',
    'or any any',
    'not any',
    'and * any',
    'or * any',
    'eq any any',
    'eq string string',
    'eq int int int',
    'ne string string',
    'ne any any',
    'lt int int',
    'le int int',
    'gt string string',
    'ge any any',
    'lt any any',
    'call any',
    'exists key',
    'get key',
    'gets key',
    'contains string string',
    'parseBool string',
    'seq 2 5',
    'seq 3 1',
    'jsonArray string',
    'sortKVByLength any',
    'index any *',
    'index map *',
    'reverse any',
  ],
  map: ['map string any', 'map string any string any', 'json string', 'map *'],
  key: ['print key', 'printf "%s/one" key'],
};
const KINDS = ['string', 'int', 'strings', 'any', 'map', 'key'] as const;
const FORMATS =
  '%v %+v %#v %d %5d %-5d| %05d %x %X %#x %s %q %+q %10.3s| %.2f %8.3f %e %g %t %T %c %U %b %o %% %z %[2]v %[1]d %*d %.*f % d %+d %6v|'
    .split(' ')
    .map((format) => `"${format}"`);

const sliceable = fc.constantFrom('.strs', '.list', '.s', '"abcdef"', '.nil', '.m');
const smallInt = fc.integer({ min: -1, max: 5 }).map(String);

const expressions = fc.letrec<Record<Kind, string> & { rest: string }>((tie) => {
  const callOf = (call: string): fc.Arbitrary<string> => {
    const [name = '', ...kinds] = call.split(' ');
    const args = kinds.map((kind) => {
      if (kind === '*') return tie('rest');
      return isKind(kind)
        ? fc.oneof({ weight: 24, arbitrary: tie(kind) }, { weight: 1, arbitrary: tie('any') })
        : fc.constant(kind);
    });
    return fc.tuple(...args).map((parts) => `(${[name, ...parts].join(' ')})`);
  };
  const ofKind = (kind: Kind): fc.Arbitrary<string> =>
    fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 12, arbitrary: fc.constantFrom(...ATOMS[kind]) },
      { weight: 12, arbitrary: fc.oneof(...CALLS[kind].map(callOf)) },
      {
        weight: kind === 'any' ? 12 : 0,
        arbitrary: fc.oneof(tie('string'), tie('int'), tie('strings'), tie('map')),
      },
      { weight: 1, arbitrary: fc.constantFrom(...WRONG) },
    );
  const rest = fc.array(tie('any'), { maxLength: 3 }).map((parts) => parts.join(' '));
  return {
    rest,
    string: ofKind('string'),
    int: ofKind('int'),
    strings: ofKind('strings'),
    any: ofKind('any'),
    map: ofKind('map'),
    key: ofKind('key'),
  };
});

function isKind(word: string): word is Kind {
  return KINDS.some((kind) => kind === word);
}

/** A pipeline: an expression without its parentheses, and perhaps commands that take what it gives. */
const pipeline = fc
  .tuple(
    fc.oneof(
      { weight: 8, arbitrary: expressions.any },
      {
        weight: 4,
        arbitrary: fc
          .tuple(fc.constantFrom(...FORMATS), expressions.rest)
          .map(([format, rest]) => `(printf ${format} ${rest})`),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(sliceable, fc.array(smallInt, { maxLength: 3 }))
          .map(([item, args]) => `(slice ${[item, ...args].join(' ')})`),
      },
    ),
    fc.array(
      fc.constantFrom(
        'print',
        'len',
        'not',
        'printf "%v|%5v"',
        'html',
        'printf "%T"',
        'index .strs',
        'eq 1',
        'and .t',
      ),
      { maxLength: 2 },
    ),
  )
  .map(([first, rest]) => [first.replace(/^\((.*)\)$/s, '$1'), ...rest].join(' | '));

const text = fc.constantFrom('', ' ', '\n', ' text ', '\n\n  x', '}}', 'é');
const open = fc.constantFrom('{{', '{{', '{{', '{{- ', '{{ ');
const close = fc.constantFrom('}}', '}}', '}}', ' -}}', ' }}', '\n}}');
const action = (inside: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(open, inside, close).map((parts) => parts.join(''));
const BROKEN = [
  '{{break}}',
  '{{continue}}',
  '{{template "no"}}',
  '{{end}}',
  '{{else}}',
  '{{nofunc}}',
  '{{"',
  '{{(',
  '{{.x#}}',
  '{{1.x}}',
  '{{$q}}',
];

const headed = (...variables: readonly string[]): fc.Arbitrary<string> =>
  fc.tuple(fc.constantFrom(...variables), pipeline).map((parts) => parts.join(''));

const { body } = fc.letrec<{ statement: string; body: string }>((tie) => {
  const branch = (keyword: string, ...variables: readonly string[]): fc.Arbitrary<string> =>
    fc
      .tuple(
        action(headed('', '', ...variables).map((head) => `${keyword} ${head}`)),
        tie('body'),
        fc.option(tie('body')),
      )
      .map(
        ([start, list, otherwise]) =>
          `${start}${list}${otherwise === null ? '' : `{{else}}${otherwise}`}{{end}}`,
      );
  const leaving = fc.constantFrom('{{break}}', '{{continue}}', '');
  return {
    statement: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 12, arbitrary: text },
      { weight: 24, arbitrary: action(headed('', '', '$v := ', '$w := ', '$v = ')) },
      {
        weight: 4,
        arbitrary: fc.constantFrom('{{/* note */}}', '{{- /* note */ -}}', '{{template "x" .s}}'),
      },
      { weight: 1, arbitrary: fc.constantFrom(...BROKEN) },
      { weight: 8, arbitrary: branch('if', '$v := ') },
      { weight: 8, arbitrary: branch('with', '$w := ') },
      { weight: 8, arbitrary: branch('range', '$v := ', '$v, $w := ') },
      {
        weight: 4,
        arbitrary: fc
          .tuple(tie('body'), leaving, tie('body'))
          .map(([a, leave, b]) => `{{range .strs}}${a}{{if eq . "a"}}${leave}{{end}}${b}{{end}}`),
      },
    ),
    body: fc.array(tie('statement'), { maxLength: 4 }).map((statements) => statements.join('')),
  };
});

/** Whole templates, with variables, and a definition that they may call. */
export const someTemplate: fc.Arbitrary<string> = fc
  .tuple(body, pipeline)
  .map(
    ([main, value]) =>
      `{{$v := .a}}{{$w := "w"}}${main}{{define "x"}}{{$v := 1}}{{$w := "d"}}<{{${value}}}>{{end}}`,
  );
