/** What templates are told of the cluster: vectors of keys and templates, refusals with their places, and who asks. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCandidates } from '../../../src/topology/index.ts';
import { clusterOf, scopeFolder } from '../../../src/template/cluster/cluster.ts';
import { fromText } from '../../../src/template/go/bytes.ts';
import { type ClusterScope, render } from '../../../src/template/index.ts';
import { parseResource } from '../../../src/template/resource/resource.ts';
import { judgeMembers } from '../../../src/template/resource/snapshot.ts';
import { asksForCluster } from '../../../src/template/shell/asks-for-cluster.ts';
import { aView, layout, memberText, threeMembers, type ViewOptions } from '../../support/a-view.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { storeOf, worldOf } from '../../support/template-vectors.ts';

const scopeIn = (datacenter: string, more: Partial<ClusterScope['policy']> = {}): ClusterScope => ({
  name: 'main',
  layout,
  policy: { localDatacenter: datacenter, weights: { local: 10, remote: 1 }, addresses: {}, ...more },
});

/** The keys of a cluster as a snapshot has them: bytes. */
function pairsOf(options: ViewOptions = {}): Map<string, string> {
  const { entries } = aView(options);
  return new Map([...entries.values()].map(({ key, value }) => [fromText(key), fromText(value)]));
}

interface Case {
  readonly keys?: ViewOptions;
  readonly scope?: ClusterScope;
}

function rendered(template: string, { keys = {}, scope = scopeIn('dc1') }: Case = {}): string {
  const made = render({
    name: 'a.tmpl',
    source: fromText(template),
    store: storeOf({}),
    world: worldOf(),
    cluster: clusterOf(pairsOf(keys), scope),
    outputBytesMax: 1024 * 1024,
  });
  assert.ok(made.outcome !== 'asks');
  return made.outcome === 'rendered' ? made.bytes.toString('utf8') : `error: ${made.error.message}`;
}

const ALL =
  '{{range cluster.Members}}{{.Name}} {{.Role}} {{.State}} {{.Lag}} {{.Datacenter}} {{.Address}} {{.Host}} {{.Port}} {{.Weight}} {{.Closed}}\n{{end}}';

test('every member has its name, role, state, lag, datacenter, address and share', () => {
  assert.equal(
    rendered(ALL),
    `db-fsn-01 replica running 3565568 dc3 10.3.0.2:5432 10.3.0.2 5432 1 false
db-sib-01 primary running -1 dc1 10.1.0.2:5432 10.1.0.2 5432 10 false
db-sib-03 replica running 0 dc2 10.2.0.2:5432 10.2.0.2 5432 1 false
`,
  );
});

const CITY = 'Sibiu ş';
const superseded = {
  members: { ...threeMembers, 'db-sib-03': { role: 'primary', timeline: 1 } },
} as const;

const VECTORS: readonly (readonly [template: string, output: string, given?: Case])[] = [
  ['{{cluster.Scope}} {{cluster.Leader}} {{cluster.Primary}}', 'main db-sib-01 db-sib-01'],
  ['{{len cluster.Members}}', '3'],
  ['{{with primary}}{{.Host}}:{{.Port}}{{end}}', '10.1.0.2:5432'],
  ['{{primary.Address}}', '10.1.0.2:5432'],
  ['{{datacenter}}', 'dc3', { scope: scopeIn('dc3') }],
  ['{{datacenter}}', CITY, { scope: scopeIn(CITY) }],
  ['{{weight "db-sib-01"}} {{weight "db-sib-03"}} {{weight "db-fsn-01"}}', '10 1 1'],
  [
    '{{weight "db-sib-01"}} {{weight "db-sib-03"}} {{weight "db-fsn-01"}}',
    '1 1 10',
    { scope: scopeIn('dc3') },
  ],
  ['{{weight "db-sib-01"}} {{weight "db-sib-03"}}', '1 1', { scope: scopeIn('elsewhere') }],
  ['{{range cluster.Members}}{{weight .}},{{end}}', '1,10,1,'],
  ['{{range cluster.Members}}{{weight .Name | printf "%02d"}} {{end}}', '01 10 01 '],
  [
    '{{$n := "db-sib-03"}}{{$n | weight}}',
    '7',
    { scope: scopeIn('dc1', { memberWeights: { 'db-sib-03': 7 } }) },
  ],
  [
    '{{weight "db-sib-01"}} {{weight "db-sib-03"}}',
    '3 0',
    { scope: scopeIn('dc1', { weights: { local: 3, remote: 0 } }) },
  ],
  [
    '{{weight "a"}} {{weight "b"}} {{weight "c"}}',
    '0 0 10',
    {
      keys: {
        members: {
          a: { tags: { datacenter: 'dc1', noloadbalance: true } },
          b: { state: 'stopped', tags: { datacenter: 'dc1' } },
          c: { tags: { datacenter: 'dc1' } },
        },
      },
    },
  ],
  [
    '{{(index cluster.Members 2).Address}}',
    '[fd00::7]:15432',
    { scope: scopeIn('dc1', { addresses: { 'db-sib-03': { host: 'fd00::7', port: 15_432 } } }) },
  ],
  // Who is closed to clients runs, and is nobody to send a client to.
  [
    '{{range cluster.Members}}{{.Name}} {{.State}} {{.Closed}} {{.Weight}},{{end}}',
    'db-fsn-01 running true 0,db-sib-01 running false 10,db-sib-03 running false 1,',
    {
      keys: {
        members: {
          ...threeMembers,
          'db-fsn-01': { closed_to_clients: true, tags: { datacenter: 'dc3' } },
        },
      },
    },
  ],
  // Who claims to be primary without being it.
  ['{{range cluster.Members}}{{.Role}} {{end}}', 'replica primary superseded ', { keys: superseded }],
  [
    '{{range cluster.Members}}{{if eq .Role "primary"}}{{.Name}}{{end}}{{end}}',
    'db-sib-01',
    { keys: superseded },
  ],
  // Without a leader nobody is the primary, and no lag is known but by `status`.
  ['[{{cluster.Leader}}][{{cluster.Primary}}]', '[][]', { keys: { leader: undefined } }],
  ['{{cluster.Leader}} [{{cluster.Primary}}]', 'gone []', { keys: { leader: 'gone' } }],
  // One that cannot be read is none.
  ['{{range cluster.Members}}{{.Name}} {{end}}', 'x ', { keys: { members: { x: {}, y: 'garbage' } } }],
  ['{{range cluster.Members}}{{.Name}}{{end}}', '', { keys: { members: {} } }],
  [
    '{{weight "nobody"}}',
    'error: template: a.tmpl:1:2: executing "a.tmpl" at <weight "nobody">: error calling weight: the cluster has no member nobody',
  ],
  [
    'x\n{{weight 3}}',
    'error: template: a.tmpl:2:2: executing "a.tmpl" at <weight 3>: error calling weight: want a member or its name, of type string',
  ],
  [
    'host={{primary.Host}}',
    'error: template: a.tmpl:1:7: executing "a.tmpl" at <primary>: error calling primary: there is no primary: no member holds the leader key',
    { keys: { leader: undefined } },
  ],
  [
    '{{primary.Host}}',
    'error: template: a.tmpl:1:2: executing "a.tmpl" at <primary>: error calling primary: there is no primary: the leader has not been promoted yet',
    { keys: { leader: 'db-sib-03' } },
  ],
  [
    '{{cluster.Nothing}}',
    'error: template: a.tmpl:1:2: executing "a.tmpl" at <cluster>: can\'t evaluate field Nothing in type cluster.Cluster',
  ],
];

for (const [index, [template, output, given]] of VECTORS.entries()) {
  test(`vector ${index}: ${template.replaceAll('\n', '\\n')}`, () => {
    assert.equal(rendered(template, given), output);
  });
}

test('shares are those that a router of that datacenter gives', () => {
  for (const datacenter of ['dc1', 'dc2', 'dc3', 'dc4']) {
    const { policy } = scopeIn(datacenter);
    const shares = readCandidates(aView(), policy).map(({ name, weight }) => `${name}=${weight} `);
    const template = '{{range cluster.Members}}{{.Name}}={{weight .Name}} {{end}}';
    assert.equal(rendered(template, { scope: scopeIn(datacenter) }), shares.join(''));
  }
});

test('keys of another scope are not taken for its own', () => {
  const pairs = pairsOf();
  pairs.set('/service/main2/members/other', memberText('other', {}));
  pairs.set('/other', 'x');
  assert.equal(clusterOf(pairs, scopeIn('dc1')).members.length, 3);
  assert.equal(scopeFolder(scopeIn('dc1')), '/service/main');
});

function resource(line: string): Parameters<typeof judgeMembers>[1] {
  const parsed = parseResource('r', `[template]\nsrc = "a"\ndest = "/b"\n${line}`);
  assert.ok(parsed.outcome === 'ok');
  return parsed.resource;
}

test('fewer members than wanted are not enough, and none are enough only where it is said', () => {
  const none = clusterOf(new Map(), scopeIn('dc1'));
  assert.equal(judgeMembers(none, resource('')), '0 of at least 1 members are there');
  assert.equal(judgeMembers(none, resource('min_members = 0')), undefined);
  const three = clusterOf(pairsOf(), scopeIn('dc1'));
  assert.equal(judgeMembers(three, resource('min_members = 4')), '3 of at least 4 members are there');
  assert.equal(judgeMembers(three, resource('min_members = 3')), undefined);
});

test('who asks for the cluster is told from the text of the template and of those it may include', async (t) => {
  const folder = await scratchFolder(t);
  await mkdir(join(folder, 'parts'));
  const texts: Readonly<Record<string, string>> = {
    'plain.tmpl': 'weight of the cluster: {{getv "/a"}} } weight',
    'asks.tmpl': '{{getv "/a"}}{{range $m := cluster.Members}}{{end}}',
    'brace.tmpl': '{{print "}" (weight "a")}}',
    'includes.tmpl': '{{include "parts/part.tmpl"}}',
    'parts/part.tmpl': '{{datacenter}}',
  };
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), text);
  const asked = await Promise.all(
    ['plain.tmpl', 'asks.tmpl', 'brace.tmpl', 'includes.tmpl', 'missing.tmpl'].map(
      async (name) => await asksForCluster(folder, name),
    ),
  );
  assert.deepEqual(asked, [false, true, true, true, false]);
});
