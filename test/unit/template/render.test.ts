/** What the vectors cannot say: what Go 1.19 has not yet, bounds, where complaints point, and questions to the world. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromText } from '../../../src/template/go/bytes.ts';
import { render, Store } from '../../../src/template/index.ts';
import { renderedOf, storeOf, type Vector, worldOf } from '../../support/template-vectors.ts';

const output = (template: string, vector: Vector = {}): string => renderedOf({ template, ...vector });

interface Asked {
  readonly template: string;
  readonly store?: Store;
  readonly outputBytesMax?: number;
  readonly world?: Partial<ReturnType<typeof worldOf>>;
}

function rendering({
  template,
  store = storeOf({}),
  outputBytesMax = 1024 * 1024,
  world = {},
}: Asked): ReturnType<typeof render> {
  return render({
    name: 'a.tmpl',
    source: fromText(template),
    store,
    world: { ...worldOf(), ...world },
    cluster: 'no cluster',
    outputBytesMax,
  });
}

test('a range over an integer counts from 0', () => {
  assert.equal(output('{{range 3}}{{.}},{{end}}'), '0,1,2,');
  assert.equal(output('{{range $i := .n}}{{$i}},{{end}}', { data: { n: { $int: 2 } } }), '0,1,');
  assert.equal(output('{{range 0}}x{{else}}none{{end}}'), 'none');
  assert.equal(output('{{range -1}}x{{else}}none{{end}}'), 'none');
  assert.equal(
    output('{{range $i, $j := 3}}{{end}}'),
    `error: template: t:1:18: executing "t" at <3>: can't use 3 to iterate over more than one variable`,
  );
});

test('a range may assign to variables that are there', () => {
  assert.equal(output('{{$a := 0}}{{$b := 9}}{{range $a = .}}{{end}}{{$a}} {{$b}}', { data: [1, 2] }), '2 9');
  assert.equal(
    output('{{$a := 0}}{{$b := 9}}{{range $a, $b = .}}{{end}}{{$a}} {{$b}}', { data: ['x', 'y'] }),
    '1 y',
  );
});

test('else with is a with inside else', () => {
  const template = '{{with .a}}a {{.}}{{else with .b}}b {{.}}{{else}}none{{end}}';
  assert.equal(output(template, { data: { a: 1 } }), 'a 1');
  assert.equal(output(template, { data: { b: 2 } }), 'b 2');
  assert.equal(output(template, { data: {} }), 'none');
  assert.equal(output('{{if 1}}{{else with 2}}{{end}}'), 'error: template: t:1: unexpected <with> in input');
});

test('a complaint has template, line, column and the key that is missing', () => {
  const rendered = rendering({ template: 'first\n  {{getv "/no/such"}}' });
  assert.ok(rendered.outcome === 'failed');
  const { template, line, column, key, message } = rendered.error;
  assert.deepEqual(
    { template, line, column, key },
    { template: 'a.tmpl', line: 2, column: 5, key: '/no/such' },
  );
  assert.equal(
    message,
    'template: a.tmpl:2:4: executing "a.tmpl" at <getv "/no/such">: error calling getv: key does not exist: /no/such',
  );
});

test('a complaint about the text has its line and column', () => {
  const rendered = rendering({ template: 'é\n{{if true}}\n   {{nofunc}}' });
  assert.ok(rendered.outcome === 'failed');
  const { template, line, column, key } = rendered.error;
  assert.deepEqual(
    { template, line, column, key },
    { template: 'a.tmpl', line: 3, column: 6, key: undefined },
  );
});

test('a key that is missing in an included template is named', () => {
  const rendered = rendering({
    template: '{{include "part.tmpl"}}',
    world: { template: () => '{{getv "/gone"}}' },
  });
  assert.ok(rendered.outcome === 'failed');
  assert.equal(rendered.error.key, '/gone');
});

test('a value that is not UTF-8 comes out as it came in', () => {
  const { bytes } = succeeded(rendering({ template: '{{base64Decode "/wD+"}}é' }));
  assert.deepEqual(bytes, Buffer.from([0xff, 0x00, 0xfe, 0xc3, 0xa9]));
});

test('output that is too large is refused', () => {
  const template = '{{range seq 1 1000}}0123456789{{end}}';
  assert.equal(succeeded(rendering({ template, outputBytesMax: 10_000 })).bytes.length, 10_000);
  const rendered = rendering({ template, outputBytesMax: 9_999 });
  assert.ok(rendered.outcome === 'failed');
  assert.match(rendered.error.message, /the output is larger than 9999 bytes$/);
});

test('templates that call each other without end are refused', () => {
  assert.match(
    output('{{define "a"}}{{with 1}}{{if 1}}{{template "a"}}{{end}}{{end}}{{end}}{{template "a"}}'),
    /nested more than 1000 deep$/,
  );
});

test('templates that include each other count as one', () => {
  const deep = `${'{{if 1}}'.repeat(400)}{{include (print . "1")}}${'{{end}}'.repeat(400)}`;
  const rendered = rendering({
    template: '{{include "a"}}',
    world: { template: () => deep.replace('.', '"a"') },
  });
  assert.ok(rendered.outcome === 'failed');
});

test('templates that are nested without end are refused', () => {
  assert.match(output('{{if 1}}'.repeat(100_000)), /actions are nested more than 500 deep$/);
  assert.match(output(`{{${'('.repeat(100_000)}`), /parentheses are nested more than 500 deep$/);
  assert.match(
    output('{{if 1}}{{else '.repeat(100_000)),
    /t:1: unexpected <\{\{>|nested more than|unexpected/,
  );
  assert.match(output(`{{json .}}`, { data: '{"a":'.repeat(100_000) }), /exceeded max depth$/);
});

test('a sequence without end is refused', () => {
  assert.match(output('{{seq 1 9223372036854775807}}'), /a sequence of more than 1000000 numbers$/);
});

test('a template that loops over a million keys is rendered', () => {
  const pairs = new Map<string, string>();
  for (let index = 0; index < 1_000_000; index += 1) pairs.set(`/k/${index}`, 'v');
  const store = new Store(pairs);
  const template = '{{range gets "/k/*"}}{{.Value}}{{end}}';
  assert.equal(succeeded(rendering({ template, store })).bytes.length, 1_000_000);
});

test('what must be looked up is asked for, all at once, and then rendered', () => {
  const template = '{{range lookupIP "a"}}{{.}}{{end}}{{index (lookupIPV4 "b") 0}}{{lookupIP "a"}}';
  const asks = rendering({ template, world: { addresses: () => undefined } });
  // The complaint about the empty answer is worth nothing, and what would have come after it is asked for next.
  assert.deepEqual(asks, {
    outcome: 'asks',
    questions: [
      { kind: 'ip', host: 'a' },
      { kind: 'ip', host: 'b' },
    ],
  });
  const answers: Record<string, string[]> = { a: ['10.0.0.2', '10.0.0.1'], b: ['::1', '127.0.0.1'] };
  const { bytes } = succeeded(rendering({ template, world: { addresses: ({ host }) => answers[host] } }));
  assert.equal(bytes.toString(), '10.0.0.110.0.0.2127.0.0.1[10.0.0.1 10.0.0.2]');
});

test('records of services are sorted, and their fields are there', () => {
  const template =
    '{{range lookupSRV "mail" "tcp" "example.com"}}{{.Target}}:{{.Port}} {{.Priority}} {{.Weight}}\n{{.}}\n{{end}}';
  const records = [
    { target: 'b.', port: 25, priority: 1, weight: 5 },
    { target: 'a.', port: 26, priority: 2, weight: 6 },
  ];
  assert.equal(
    succeeded(rendering({ template, world: { services: () => records } })).bytes.toString(),
    'a.:26 2 6\n{a. 26 2 6}\nb.:25 1 5\n{b. 25 1 5}\n',
  );
  const asks = rendering({ template, world: { services: () => undefined } });
  assert.deepEqual(asks, {
    outcome: 'asks',
    questions: [{ kind: 'srv', service: 'mail', protocol: 'tcp', domain: 'example.com' }],
  });
});

test('addresses of interfaces and the name of the host come from the world', () => {
  const addresses: Record<string, string[]> = { eth0: ['fe80::1', '10.0.0.1', '10.0.0.2'] };
  const template =
    '{{hostname}} {{lookupIfaceIPV4 "eth0"}} {{lookupIfaceIPV6 "eth0"}} [{{lookupIfaceIPV4 "none"}}]';
  const { bytes } = succeeded(
    rendering({ template, world: { interfaceAddresses: (name) => addresses[name] ?? [] } }),
  );
  assert.equal(bytes.toString(), 'host.example 10.0.0.1 fe80::1 []');
});

function succeeded(rendered: ReturnType<typeof render>): { readonly bytes: Buffer } {
  assert.ok(rendered.outcome === 'rendered', JSON.stringify(rendered));
  return rendered;
}
