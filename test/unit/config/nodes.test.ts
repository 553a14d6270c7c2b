/** A list of nodes in place of etcd: what it needs, and what it cannot be together with. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig } from '../../../src/config/index.ts';

const HEAD = 'scope: main\nname: app1\ndatacenter: dc1\n';
const ONE = '{ name: a, address: "10.0.0.1:5432" }';

function problems(text: string, purpose: 'agent' | 'router' | 'cluster' | 'any' = 'router'): string[] {
  const checked = checkConfig(HEAD + text, {}, purpose);
  return checked.outcome === 'ok' ? [] : checked.problems.map(({ key, message }) => `${key}: ${message}`);
}

test('one node needs nothing else, and has its defaults', () => {
  const checked = checkConfig(`${HEAD}nodes: [${ONE}]\n`, {}, 'router');
  assert(checked.outcome === 'ok');
  assert.deepEqual(checked.config.nodes, [
    { name: 'a', address: { host: '10.0.0.1', port: 5432 }, tags: {} },
  ]);
  assert.equal(checked.config.etcd, undefined);
});

test('a router needs etcd or nodes, never both; an agent and a command need etcd', () => {
  assert.deepEqual(problems(''), ['etcd: is missing: a router needs this section, or `nodes`']);
  assert.deepEqual(problems('', 'any'), [
    'etcd: is missing: the cluster is known by etcd or, for a router alone, by `nodes`',
  ]);
  assert.deepEqual(problems(`etcd: { endpoints: ['http://h:2379'] }\nnodes: [${ONE}]\n`), [
    'nodes: and etcd exclude each other: who leads is decided in one place',
  ]);
  assert.deepEqual(problems(`nodes: [${ONE}]\n`, 'cluster'), ['etcd: is missing: this command asks etcd']);
  assert.equal(problems(`nodes: [${ONE}]\n`, 'agent')[0], 'etcd: is missing: an agent needs this section');
});

test('several nodes need a role to ask them as, names and addresses of their own, and answers within ttl', () => {
  const two = `nodes:\n  - ${ONE}\n  - { name: a, address: "10.0.0.1:5432", weight: 1001, datacenter: dc2 }\n`;
  assert.deepEqual(problems(two), ['nodes[1].weight: must be at most 1000, found 1001']);
  assert.deepEqual(problems(two.replace('1001', '5')), [
    'nodes: more than one need router.auth_user, as whom the router asks them which is the primary',
    'nodes[1].name: a is taken',
    'nodes[1].address: 10.0.0.1:5432 is listed already',
  ]);
  assert.deepEqual(problems(`nodes: [${ONE}]\nrouter: { node_check_period: 3s }\n`), [
    'router.node_check_timeout: node_check_period (3000ms) + node_check_timeout (2000ms) must be less than lease.ttl (5000ms), or a healthy node would count as gone',
  ]);
});

test('a weight for a node that is not listed is refused: it would change nothing', () => {
  const text = `nodes: [${ONE}]\nrouter: { weights: { members: { a: 3, b: 5 } } }\n`;
  assert.deepEqual(problems(text), ['router.weights.members.b: is no node; there are a']);
});

test('no weight but for members named is right; none at all is not', () => {
  const text = `nodes: [${ONE}]\nrouter: { weights: { local: 0, remote: 0, members: { a: 3 } } }\n`;
  assert.deepEqual(problems(text), []);
  assert.deepEqual(problems(text.replace('a: 3', 'a: 0')), [
    'router.weights: local and remote are both 0, so no member could be read from',
  ]);
});
