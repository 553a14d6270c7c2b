/** Member JSON: what Patroni 3.0.2 and 4.x write, what people break, and what we write. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  FEATURE_LEVEL,
  isTagSet,
  keyLayout,
  memberNameOf,
  parseMember,
  renderMember,
  slotNameOf,
} from '../../../src/topology/index.ts';
import { aMember, anEntry } from '../../support/members.ts';

const because = (value: string): string => {
  const parsed = parse(value);
  return parsed.kind === 'unreadable' ? parsed.because : 'read';
};

const set = (value: string | number | boolean): boolean => {
  const parsed = parse(renderMember(aMember({ name: 'db1', tags: { noloadbalance: value } })));
  return parsed.kind === 'member' && isTagSet(parsed.member.tags, 'noloadbalance');
};

const parse = (value: string) =>
  parseMember('db1', anEntry('/service/demo/members/db1', value, { modRevision: 9, lease: '42' }));

const hasCheckpointed = (more: string): boolean => {
  const parsed = parse(`{"conn_url":"postgres://db1/postgres"${more}}`);
  return parsed.kind === 'member' && parsed.member.hasCheckpointed;
};

const address = (connUrl: string): string => {
  const parsed = parse(JSON.stringify({ conn_url: connUrl }));
  return parsed.kind === 'member' ? `${parsed.member.host} ${parsed.member.port}` : parsed.because;
};

test('a promoted member has checkpointed unless it says that it has not, however the JSON is written', () => {
  assert.deepEqual(
    [
      '',
      ',"checkpoint_after_promote":false',
      ',"checkpoint_after_promote" :\n false',
      ',"tags":{"x":"\\"checkpoint_after_promote\\":false"}',
    ].map(hasCheckpointed),
    [true, false, false, true],
  );
});

describe('a member is read', () => {
  test('as Patroni 3.0.2 writes its primary', () => {
    const value =
      '{"conn_url":"postgres://10.0.0.1:5432/postgres","api_url":"http://10.0.0.1:8008/patroni","state":"running",' +
      '"role":"master","version":"3.0.2","xlog_location":67108960,"timeline":3,"tags":{"datacenter":"dc1"}}';
    assert.deepEqual(parse(value), {
      kind: 'member',
      member: {
        name: 'db1',
        host: '10.0.0.1',
        port: 5432,
        apiUrl: 'http://10.0.0.1:8008/patroni',
        state: 'running',
        role: 'master',
        datacenter: 'dc1',
        timeline: 3,
        lsn: 67_108_960,
        replayLsn: undefined,
        replicationState: undefined,
        hasCheckpointed: true,
        isClosed: false,
        isPaused: false,
        needsRestart: false,
        scheduledRestart: undefined,
        tags: { datacenter: 'dc1' },
      },
    });
  });

  test('as Patroni 4.1 writes its standby', () => {
    const value =
      '{"conn_url":"postgres://db2:5433/postgres","api_url":"https://db2:8008/patroni","state":"running","role":"replica",' +
      '"version":"4.1.4","proxy_url":"postgres://db2:6432/postgres","tags":{"datacenter":"dc2","nofailover":true,' +
      '"failover_priority":3},"pending_restart":true,"pending_restart_reason":{"max_connections":{"old_value":"100",' +
      '"new_value":"200"}},"xlog_location":100,"receive_lsn":100,"replay_lsn":90,"replication_state":"streaming","timeline":2}';
    assert.deepEqual(parse(value), {
      kind: 'member',
      member: {
        name: 'db1',
        host: 'db2',
        port: 5433,
        apiUrl: 'https://db2:8008/patroni',
        state: 'running',
        role: 'replica',
        datacenter: 'dc2',
        timeline: 2,
        lsn: 100,
        replayLsn: 90,
        replicationState: 'streaming',
        hasCheckpointed: true,
        isClosed: false,
        isPaused: false,
        needsRestart: true,
        scheduledRestart: undefined,
        tags: { datacenter: 'dc2', nofailover: true, failover_priority: 3 },
      },
    });
  });

  test('as very old Patroni wrote it: a bare URL, of which no state is known', () => {
    const parsed = parse('postgres://10.0.0.1:5432/postgres?application_name=http://10.0.0.1:8008/patroni');
    assert.equal(parsed.kind, 'member');
    const { host, apiUrl, state } = parsed.kind === 'member' ? parsed.member : assert.fail();
    assert.deepEqual([host, apiUrl, state], ['10.0.0.1', 'http://10.0.0.1:8008/patroni', '']);
  });

  test('with every form of address, and none is guessed', () => {
    const forms = {
      'postgres://10.0.0.1:5432/postgres': '10.0.0.1 5432',
      'postgresql://db-sib-01/app': 'db-sib-01 5432',
      'postgres://[2001:db8::1]:6000/postgres': '2001:db8::1 6000',
      'postgres://user:secret@DB_1:5432/postgres?sslmode=require': 'DB_1 5432',
      'postgres://db1:5432': 'db1 5432',
      'postgres:///postgres': 'bad-conn-url',
      'postgres://%2Fvar%2Frun/postgres': 'bad-conn-url',
      'postgres://a:5432,b:5432/postgres': 'bad-conn-url',
      'postgres://db1:99999/postgres': 'bad-conn-url',
      'postgres://db1:0/postgres': 'bad-conn-url',
      'http://db1:5432/': 'bad-conn-url',
      'db1:5432': 'bad-conn-url',
      '': 'bad-conn-url',
    };
    assert.deepEqual(Object.fromEntries(Object.keys(forms).map((form) => [form, address(form)])), forms);
  });

  test('from a plain address as a URL is read', () => {
    const connUrl = fc
      .tuple(
        fc.constantFrom('postgres://', 'postgresql://'),
        fc.stringMatching(/^[a-zA-Z0-9.-]{0,9}$/),
        fc.option(fc.stringMatching(/^[0-9]{0,6}$/), { nil: undefined }),
        fc.constantFrom('', '/', '/postgres', '/my-app', '/app?sslmode=require', '/app#x'),
      )
      .map(([scheme, host, port, rest]) => `${scheme}${host}${port === undefined ? '' : `:${port}`}${rest}`);
    fc.assert(
      fc.property(connUrl, (text) => {
        const url = URL.canParse(text) ? new URL(text) : undefined;
        const isUsable = url !== undefined && url.hostname !== '' && url.port !== '0';
        const expected = isUsable ? `${url.hostname} ${url.port || 5432}` : 'bad-conn-url';
        assert.equal(address(text), expected);
      }),
    );
  });

  test('not at all from garbage', () => {
    assert.deepEqual(['', '{', 'null', '7', '"text"', '[]', '{}', '{"conn_url":7}'].map(because), [
      'not-json',
      'not-json',
      'not-json',
      'not-json',
      'not-json',
      'not-json',
      'no-conn-url',
      'no-conn-url',
    ]);
  });

  test('without the fields that have a wrong type', () => {
    const value =
      '{"conn_url":"postgres://db1/","state":7,"role":null,"timeline":"3","xlog_location":-1,"replay_lsn":1.5,' +
      '"tags":{"datacenter":2,"a":null,"b":{},"c":"x"}}';
    const parsed = parse(value);
    const member = parsed.kind === 'member' ? parsed.member : assert.fail();
    assert.deepEqual(
      [
        member.state,
        member.role,
        member.timeline,
        member.lsn,
        member.replayLsn,
        member.datacenter,
        member.tags,
      ],
      ['', '', undefined, undefined, undefined, '2', { datacenter: 2, c: 'x' }],
    );
  });
});

describe('a member is written', () => {
  test('compact, in Patroni’s names, in one order, without what is unknown', () => {
    const member = aMember({ name: 'db1', replay_lsn: 50_331_640, pause: true, closed_to_clients: true });
    const shuffled = { pause: true, ...aMember({ name: 'db1', tags: {} }), ...member } as const;
    const expected =
      '{"conn_url":"postgres://db1.example:5432/postgres","api_url":"http://db1.example:8008/patroni","state":"running",' +
      `"role":"replica","version":"${FEATURE_LEVEL}","tags":{"datacenter":"dc1"},"xlog_location":50331648,` +
      '"replay_lsn":50331640,"replication_state":"streaming","timeline":1,"closed_to_clients":true,"pause":true}';
    assert.equal(renderMember(member), expected);
    assert.equal(renderMember(shuffled), expected);
  });

  test('with a feature level that neither asks for the old optime key nor promises the slots of 4.0', () => {
    const [major = 0, minor = 0] = FEATURE_LEVEL.split('.').map(Number);
    assert.ok(major < 4 && (major > 2 || (major === 2 && minor >= 1)));
  });
});

test('a tag is set in every spelling that Patroni takes for true', () => {
  assert.deepEqual([true, 'true', 'True', 'on', 'yes', 1, '1'].map(set), Array(7).fill(true));
  assert.deepEqual([false, 'false', 'off', 'no', 0, '0', '', 2].map(set), Array(8).fill(false));
});

test('a slot is named after its member by Patroni’s rule', () => {
  const names = {
    'db-sib-01': 'db_sib_01',
    'Node.1': 'node_1',
    a_b: 'a_b',
    'a b': 'au0032b',
    dé: 'du0233',
    '€': 'u8364',
    '🐘': 'u128024',
    [`x${'y'.repeat(80)}`]: `x${'y'.repeat(62)}`,
  };
  assert.deepEqual(Object.fromEntries(Object.keys(names).map((name) => [name, slotNameOf(name)])), names);
});

describe('the layout', () => {
  test('is Patroni’s, however the namespace is written', () => {
    for (const namespace of ['service', '/service', 'service/', '/service/', '//service//']) {
      const layout = keyLayout(namespace, 'demo');
      assert.equal(layout.prefix, '/service/demo/');
      assert.equal(layout.member('db1'), '/service/demo/members/db1');
    }
    assert.equal(keyLayout('/postgresql-common/', '15-main').leader, '/postgresql-common/15-main/leader');
    assert.equal(keyLayout('', 'demo').prefix, '/demo/');
  });

  test('keeps our own keys away from Patroni’s', () => {
    const layout = keyLayout('service', 'demo');
    assert.equal(layout.routerCredential, '/matriarch/demo/router-credential');
    assert.ok(!layout.matriarchPrefix.startsWith(layout.prefix));
  });

  test('tells a member’s key from any other', () => {
    const layout = keyLayout('service', 'demo');
    const keys = ['members/db1', 'members/', 'members/a/b', 'members', 'leader'].map(
      (key) => layout.prefix + key,
    );
    assert.deepEqual(
      keys.map((key) => memberNameOf(layout, key)),
      ['db1', undefined, undefined, undefined, undefined],
    );
    assert.equal(memberNameOf(layout, '/service/other/members/db1'), undefined);
  });
});
