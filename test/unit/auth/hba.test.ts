/** Host rules: what fits, and what is refused when they are read. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Attempt, identAllows, matchHba, parseHba, parseIdent } from '../../../src/auth/index.ts';

const COMING: Attempt = {
  address: '10.1.2.3',
  isTls: false,
  database: 'shop',
  user: 'app',
  isReplication: false,
};

/** The method of the first rule that fits. */
function decided(rules: string, changes: Partial<Attempt> = {}): string | undefined {
  const parsed = parseHba(rules);
  assert.deepEqual(parsed.problems, []);
  return matchHba(parsed.rules, { ...COMING, ...changes })?.method;
}

describe('a rule', () => {
  const table: [string, string, Partial<Attempt>, string | undefined][] = [
    ['for all fits all', 'host all all all trust', {}, 'trust'],
    ['that comes first decides', 'host all app all reject\nhost all all all trust', {}, 'reject'],
    ['of a range fits what is in it', 'host all all 10.1.0.0/16 trust', {}, 'trust'],
    ['of a range does not fit what is not', 'host all all 10.2.0.0/16 trust', {}, undefined],
    ['of a range counts bits, not bytes', 'host all all 10.0.0.0/15 trust', {}, 'trust'],
    ['of one bit less does not', 'host all all 10.2.0.0/15 trust', {}, undefined],
    ['of length 0 fits every address', 'host all all 0.0.0.0/0 trust', {}, 'trust'],
    ['may have a mask', 'host all all 10.1.2.0 255.255.255.0 trust', {}, 'trust'],
    [
      'of IPv4 fits it inside of IPv6',
      'host all all 10.1.2.3/32 trust',
      { address: '::ffff:10.1.2.3' },
      'trust',
    ],
    ['of IPv4 never fits IPv6', 'host all all 0.0.0.0/0 trust', { address: '2001:db8::1' }, undefined],
    ['of IPv6 fits IPv6', 'host all all 2001:db8::/32 trust', { address: '2001:db8:0:1::7' }, 'trust'],
    ['of a zone fits it', 'host all all fe80::/10 trust', { address: 'fe80::1%eth0' }, 'trust'],
    ['local is the Unix socket', 'local all all trust', { address: undefined }, 'trust'],
    ['local is nothing else', 'local all all trust', {}, undefined],
    ['host is no Unix socket', 'host all all all trust', { address: undefined }, undefined],
    ['hostssl wants TLS', 'hostssl all all all trust', {}, undefined],
    ['hostssl fits TLS', 'hostssl all all all trust', { isTls: true }, 'trust'],
    ['hostnossl refuses TLS', 'hostnossl all all all trust', { isTls: true }, undefined],
    ['may name databases and users', 'host a,shop x,"app" all trust', {}, 'trust'],
    [
      'sameuser is a database named like the user',
      'host sameuser all all trust',
      { database: 'app' },
      'trust',
    ],
    ['sameuser is no other', 'host sameuser all all trust', {}, undefined],
    ['in quotes means a name', 'host "all" all all trust', {}, undefined],
    ['in quotes may mean a keyword’s name', 'host "all" all all trust', { database: 'all' }, 'trust'],
    ['for all is not for replication', 'host all all all trust', { isReplication: true }, undefined],
    ['for replication is', 'host replication all all trust', { isReplication: true }, 'trust'],
    [
      'for replication is for nothing else',
      'host replication all all trust',
      { database: 'replication' },
      undefined,
    ],
    ['may go on in the next line, and end in a comment', 'host all \\\n all all trust # why', {}, 'trust'],
    [
      'is not guessed of an address that is none',
      'host all all 10.0.0.0/8 trust',
      { address: '' },
      undefined,
    ],
  ];
  for (const [fact, rules, changes, method] of table) {
    test(fact, () => assert.equal(decided(rules, changes), method));
  }
});

describe('a rule that could not be kept is refused with its line', () => {
  const table: [string, RegExp][] = [
    ['hots all all all trust', /unknown connection type "hots"/],
    ['hostgssenc all all all trust', /no GSSAPI/],
    ['include other.conf', /name one file/],
    ['host all all all', /method is missing|are missing/],
    ['host all', /missing/],
    ['host all all 10.0.0.0/33 trust', /not a range/],
    ['host all all 10.0.0.256/8 trust', /not a range/],
    ['host all all 10.0.0.1 trust', /needs a length/],
    ['host all all 10.0.0.0 255.0.255.0 trust', /needs a length/],
    ['host all all db.example.com trust', /names of hosts are not looked up/],
    ['host all all samenet trust', /samenet is not supported/],
    ['host @file all all trust', /lists of names/],
    ['host samerole all all trust', /member of a role/],
    ['host all +admins all trust', /member of a role/],
    ['host all /^a all trust', /regular expressions/],
    ['local all all peer', /peer is not supported/],
    ['host all all all gss', /unknown method "gss"/],
    ['host all all all cert', /cert is for hostssl/],
    ['hostssl all all all md5 map=x', /map= is for/],
    ['host all all all md5 clientcert=verify-ca', /clientcert= is for hostssl/],
    ['hostssl all all all md5 clientcert=maybe', /unknown option/],
    ['host all "all all trust', /quote is not closed/],
  ];
  for (const [line, words] of table) {
    test(line, () => {
      const { rules, problems } = parseHba(`# first\n${line}`);
      assert.equal(rules.length, 0);
      assert.equal(problems[0]?.line, 2);
      assert.match(problems[0].message, words);
    });
  }
});

describe('a user map', () => {
  const { rules } = parseIdent(
    'm alice app\nm /^(.*)@x\\.org$ \\1\nother bob app # no\nany dave all\nany /^erin$ "all"\n',
  );
  const table: [string, Parameters<typeof identAllows>[1], boolean][] = [
    ['lets in whom it names', { map: 'm', name: 'alice', role: 'app' }, true],
    ['lets in by a pattern', { map: 'm', name: 'carol@x.org', role: 'carol' }, true],
    ['lets in as nobody else', { map: 'm', name: 'carol@x.org', role: 'app' }, false],
    ['does not take part of a name', { map: 'm', name: 'carol@x.org.evil', role: 'carol' }, false],
    ['of another name counts for nothing', { map: 'm', name: 'bob', role: 'app' }, false],
    ['lets in as anybody by the word `all`', { map: 'any', name: 'dave', role: 'app' }, true],
    ['takes `all` in quotes for a name', { map: 'any', name: 'erin', role: 'app' }, false],
    ['lets in as the role named "all"', { map: 'any', name: 'erin', role: 'all' }, true],
    ['that is missing lets nobody in', { map: 'none', name: 'app', role: 'app' }, false],
    ['is not needed where the names are equal', { map: undefined, name: 'app', role: 'app' }, true],
    ['is needed where they are not', { map: undefined, name: 'alice', role: 'app' }, false],
  ];
  for (const [fact, coming, isAllowed] of table) {
    test(fact, () => assert.equal(identAllows(rules, coming), isAllowed));
  }
  test('that cannot be read is refused with its line', () => {
    assert.deepEqual(
      parseIdent('m a b\nm a\nm /( b\n').problems.map(({ line }) => line),
      [2, 3],
    );
  });
});
