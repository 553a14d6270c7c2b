/** Builders and readers of both directions: what is built is read back, and other people's code agrees. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import * as fc from 'fast-check';
import * as oracle from 'pg-protocol';
import * as wire from '../../../src/wire/index.ts';

/** What a server sends that asks for the password itself; we never do. */
const CLEARTEXT_PASSWORD = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);

const name = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => text.replaceAll('\0', ''));
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const oid = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bytes = fc.uint8Array({ maxLength: 40 }).map((values) => Buffer.from(values));
const kind = fc.constantFrom('statement' as const, 'portal' as const);

/** Records as object literals make them, for deepEqual. */
function plainRecord<T>(fields: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true });
}

/** Asserts that `read(build(value))` is `value`, for any value. */
function assertRoundTrip<T>(
  arbitrary: fc.Arbitrary<T>,
  build: (value: T) => Buffer,
  read: (message: Buffer) => unknown,
): void {
  fc.assert(
    fc.property(arbitrary, (value) => {
      const message = build(value);
      assert.equal(message.readInt32BE(1) + 1, message.length, 'the length word counts itself and the body');
      assert.deepEqual(read(message), value);
    }),
  );
}

test('what a client sends is read back as it was built', () => {
  const parse = plainRecord({ name, sql: name, parameterTypes: fc.array(oid, { maxLength: 5 }) });
  const described = plainRecord({ kind, name });
  assertRoundTrip(name, wire.Query, wire.readQuery);
  assertRoundTrip(parse, wire.Parse, wire.readParse);
  assertRoundTrip(described, (value) => wire.Describe(value.kind, value.name), wire.readDescribe);
  assertRoundTrip(described, (value) => wire.Close(value.kind, value.name), wire.readClose);
  assertRoundTrip(
    plainRecord({ portal: name, maxRows: int32 }),
    (value) => wire.Execute(value.portal, value.maxRows),
    wire.readExecute,
  );
  assertRoundTrip(
    plainRecord({ mechanism: name, data: name }),
    (value) => wire.SASLInitialResponse(value.mechanism, value.data),
    wire.readSASLInitialResponse,
  );
  assertRoundTrip(name, wire.SASLResponse, wire.readSASLResponse);
  assertRoundTrip(name, wire.PasswordMessage, wire.readPasswordMessage);
});

const bind: fc.Arbitrary<wire.BindFields> = plainRecord({
  portal: name,
  statement: name,
  parameterFormats: fc.array(fc.constantFrom(0, 1), { maxLength: 3 }),
  parameters: fc.array(fc.option(bytes, { nil: undefined }), { maxLength: 4 }),
  resultFormats: fc.array(fc.constantFrom(0, 1), { maxLength: 3 }),
});

test('a Bind is read for its names, whatever its values', () => {
  fc.assert(
    fc.property(bind, (fields) => {
      const { portal, statement } = fields;
      assert.deepEqual(wire.readBind(wire.Bind(fields)), { portal, statement });
    }),
  );
});

test('a Bind is read for the number of its values and the formats of its results', () => {
  fc.assert(
    fc.property(bind, (fields) => {
      const { parameters, resultFormats } = wire.readBindFormats(wire.Bind(fields));
      assert.equal(parameters, fields.parameters?.length ?? 0);
      assert.deepEqual(resultFormats, fields.resultFormats ?? []);
    }),
  );
});

test('rows and their columns are read by other people’s code as they were built', async () => {
  const columns = [
    { name: 'key', typeOid: 25, typeSize: -1, format: 0 },
    { name: 'größe', typeOid: 4_294_967_295, typeSize: 4, format: 1 },
  ];
  const stream = new PassThrough();
  const seen: unknown[] = [];
  const parsed = oracle.parse(stream, (message) => seen.push(JSON.parse(JSON.stringify(message))));
  stream.end(
    Buffer.concat([
      wire.RowDescription(columns),
      wire.DataRow([Buffer.from('a'), undefined]),
      wire.DataRow([]),
      wire.ParameterDescription([23, 4_294_967_295]),
      wire.PortalSuspended(),
    ]),
  );
  await parsed;
  const table = { tableID: 0, columnID: 0, dataTypeModifier: -1 };
  assert.deepEqual(seen, [
    {
      length: 54,
      name: 'rowDescription',
      fieldCount: 2,
      fields: [
        { ...table, name: 'key', dataTypeID: 25, dataTypeSize: -1, format: 'text' },
        { ...table, name: 'größe', dataTypeID: 4_294_967_295, dataTypeSize: 4, format: 'binary' },
      ],
    },
    { length: 15, name: 'dataRow', fields: ['a', null], fieldCount: 2 },
    { length: 6, name: 'dataRow', fields: [], fieldCount: 0 },
    { length: 14, name: 'parameterDescription', parameterCount: 2, dataTypeIDs: [23, 4_294_967_295] },
    { name: 'portalSuspended', length: 4 },
  ]);
});

test('a Bind may have more parameters than an Int16 with a sign can count', () => {
  const parameters = Array.from({ length: 65_535 }, () => undefined);
  const message = wire.Bind({ portal: 'p', statement: 's', parameters });
  assert.deepEqual(wire.readBind(message), { portal: 'p', statement: 's' });
});

test('renaming a statement changes its name and nothing else', () => {
  fc.assert(
    fc.property(bind, name, (fields, statement) => {
      assert.deepEqual(
        wire.withBindStatement(wire.Bind(fields), Buffer.from(statement)),
        wire.Bind({ ...fields, statement }),
      );
    }),
  );
  fc.assert(
    fc.property(name, name, (sql, renamed) => {
      const fields = { name: 'before', sql, parameterTypes: [23, 0] };
      assert.deepEqual(
        wire.withParseName(wire.Parse(fields), Buffer.from(renamed)),
        wire.Parse({ ...fields, name: renamed }),
      );
    }),
  );
});

test('renaming leaves SQL in another encoding than UTF-8 byte for byte', () => {
  const latin1 = Buffer.from('P\0\0\0\0old\0select \xe9\0\0\0', 'latin1');
  latin1.writeInt32BE(latin1.length - 1, 1);
  const renamed = wire.withParseName(latin1, Buffer.from('x'));
  assert.equal(renamed.toString('latin1', 5), 'x\0select \xe9\0\0\0');
});

test('what a server sends is read back as it was built', () => {
  assertRoundTrip(name, wire.CommandComplete, wire.readCommandComplete);
  assertRoundTrip(
    plainRecord({ name, value: name }),
    (fields) => wire.ParameterStatus(fields.name, fields.value),
    wire.readParameterStatus,
  );
  assertRoundTrip(
    plainRecord({ processId: int32, secretKey: bytes.filter((key) => key.length >= 4) }),
    (fields) => wire.BackendKeyData(fields.processId, fields.secretKey),
    wire.readBackendKeyData,
  );
  assertRoundTrip(
    plainRecord({ minor: fc.nat({ max: 0xffff }), options: fc.array(name, { maxLength: 3 }) }),
    (fields) => wire.NegotiateProtocolVersion(fields.minor, fields.options),
    wire.readNegotiateProtocolVersion,
  );
  for (const status of ['I', 'T', 'E'] as const) {
    assert.equal(wire.readReadyForQuery(wire.ReadyForQuery(status)), status);
  }
});

test('each Authentication message is read back as it was built', () => {
  const mechanism = name.filter((text) => text !== '');
  const list = fc.array(mechanism, { maxLength: 3 });
  assert.deepEqual(wire.readAuthentication(wire.AuthenticationOk()), { kind: 'ok' });
  assert.deepEqual(wire.readAuthentication(CLEARTEXT_PASSWORD), { kind: 'cleartext-password' });
  assertRoundTrip(
    list.map((mechanisms) => ({ kind: 'sasl' as const, mechanisms })),
    (value) => wire.AuthenticationSASL(value.mechanisms),
    wire.readAuthentication,
  );
  assertRoundTrip(
    name.map((data) => ({ kind: 'sasl-continue' as const, data })),
    (value) => wire.AuthenticationSASLContinue(value.data),
    wire.readAuthentication,
  );
  assertRoundTrip(
    name.map((data) => ({ kind: 'sasl-final' as const, data })),
    (value) => wire.AuthenticationSASLFinal(value.data),
    wire.readAuthentication,
  );
});

test('authentication methods we do not speak are reported with their number', () => {
  const md5 = Buffer.from('R\0\0\0\x0c\0\0\0\x05salt');
  assert.deepEqual(wire.readAuthentication(md5), { kind: 'md5-password', salt: Buffer.from('salt') });
  const gss = Buffer.from('R\0\0\0\x0a\0\0\0\x08xy');
  assert.deepEqual(wire.readAuthentication(gss), { kind: 'unsupported', code: 8 });
});

const ALL_FIELDS: wire.ErrorFields = {
  severity: 'ERROR',
  code: '23505',
  message: 'duplicate key',
  detail: 'Key (id)=(1) already exists.',
  hint: 'Take another.',
  position: '15',
  internalPosition: '3',
  internalQuery: 'SELECT 1',
  where: 'PL/pgSQL function f()',
  schema: 'public',
  table: 't',
  column: 'id',
  dataType: 'integer',
  constraint: 't_pkey',
  file: 'nbtinsert.c',
  line: '671',
  routine: '_bt_check_unique',
};

test('all fields of an error and of a notice are read back', () => {
  assert.deepEqual(wire.readErrorFields(wire.ErrorResponse(ALL_FIELDS)), ALL_FIELDS);
  assert.deepEqual(wire.readErrorFields(wire.NoticeResponse(ALL_FIELDS)), ALL_FIELDS);
});

test('the severity is the untranslated one, and unknown fields are skipped', () => {
  const body = 'SFEHLER\0VERROR\0C42601\0MSyntaxfehler\0zsomething new\0\0';
  const message = Buffer.from(`E\0\0\0\0${body}`);
  message.writeInt32BE(message.length - 1, 1);
  const expected = { severity: 'ERROR', code: '42601', message: 'Syntaxfehler' };
  assert.deepEqual(wire.readErrorFields(message), expected);
});

test('a NUL in the text of an error cannot smuggle in a field', () => {
  const fields = { severity: 'ERROR', code: 'XX000', message: 'a\0C00000\0b' };
  assert.deepEqual(wire.readErrorFields(wire.ErrorResponse(fields)), { ...fields, message: 'aC00000b' });
});

test('a NUL in any other string is a bug of the caller', () => {
  assert.throws(() => wire.Query('select 1\0'), { name: 'AssertionError' });
  assert.throws(() => wire.StartupMessage([['', 'x']]), { name: 'AssertionError' });
});

test('pg-protocol builds the same client messages, byte for byte', () => {
  const { serialize } = oracle;
  const parameters = [Buffer.from('five'), undefined];
  const values = [Buffer.from('five'), null];
  const pairs: [Buffer, Buffer][] = [
    [wire.Query('select 1'), serialize.query('select 1')],
    [
      wire.Parse({ name: 'ș', sql: 'select $1', parameterTypes: [23] }),
      serialize.parse({ name: 'ș', text: 'select $1', types: [23] }),
    ],
    [
      wire.Bind({ portal: 'p', statement: 's', parameterFormats: [1, 0], parameters, resultFormats: [0] }),
      serialize.bind({ portal: 'p', statement: 's', values }),
    ],
    [wire.Describe('statement', 's'), serialize.describe({ type: 'S', name: 's' })],
    [wire.Describe('portal', ''), serialize.describe({ type: 'P' })],
    [wire.Close('statement', 's'), serialize.close({ type: 'S', name: 's' })],
    [wire.Execute('p', 10), serialize.execute({ portal: 'p', rows: 10 })],
    [wire.Flush(), serialize.flush()],
    [wire.Sync(), serialize.sync()],
    [wire.Terminate(), serialize.end()],
    [wire.CopyFail('no'), serialize.copyFail('no')],
    [wire.PasswordMessage('secret'), serialize.password('secret')],
    [wire.SSLRequest(), serialize.requestSsl()],
    [wire.CancelRequest(7, Buffer.from([0, 0, 1, 2])), serialize.cancel(7, 0x102)],
    [
      wire.StartupMessage([
        ['user', 'a'],
        ['client_encoding', 'UTF8'],
      ]),
      serialize.startup({ user: 'a' }),
    ],
    [
      wire.SASLInitialResponse('SCRAM-SHA-256', 'n,,n=,r=x'),
      serialize.sendSASLInitialResponseMessage('SCRAM-SHA-256', 'n,,n=,r=x'),
    ],
    [wire.SASLResponse('c=biws'), serialize.sendSCRAMClientFinalMessage('c=biws')],
  ];
  for (const [ours, theirs] of pairs) assert.deepEqual(ours, theirs);
});

test('pg-protocol reads our server messages as they were meant', async () => {
  const sent = Buffer.concat([
    wire.AuthenticationSASL(['SCRAM-SHA-256']),
    wire.AuthenticationSASLContinue('r=x'),
    wire.AuthenticationSASLFinal('v=y'),
    CLEARTEXT_PASSWORD,
    wire.AuthenticationOk(),
    wire.ParameterStatus('TimeZone', 'Europe/Bucharest'),
    wire.BackendKeyData(7, Buffer.from([0, 0, 1, 2])),
    wire.NoticeResponse({ severity: 'WARNING', code: '01000', message: 'mind' }),
    wire.ReadyForQuery('I'),
    wire.ParseComplete(),
    wire.BindComplete(),
    wire.NoData(),
    wire.CommandComplete('SELECT 1'),
    wire.EmptyQueryResponse(),
    wire.CloseComplete(),
    wire.ErrorResponse({ severity: 'ERROR', code: '25006', message: 'no', hint: 'the primary' }),
    wire.ReadyForQuery('E'),
  ]);
  const seen: { name: string; [field: string]: unknown }[] = [];
  const stream = new PassThrough();
  const ended = oracle.parse(stream, (message) => seen.push({ ...message }));
  stream.end(sent);
  await ended;
  const names = seen.map((message) => message.name);
  assert.deepEqual(names, [
    'authenticationSASL',
    'authenticationSASLContinue',
    'authenticationSASLFinal',
    'authenticationCleartextPassword',
    'authenticationOk',
    'parameterStatus',
    'backendKeyData',
    'notice',
    'readyForQuery',
    'parseComplete',
    'bindComplete',
    'noData',
    'commandComplete',
    'emptyQuery',
    'closeComplete',
    'error',
    'readyForQuery',
  ]);
  assert.deepEqual(seen[0]?.['mechanisms'], ['SCRAM-SHA-256']);
  assert.equal(seen[5]?.['parameterValue'], 'Europe/Bucharest');
  assert.deepEqual([seen[6]?.['processID'], seen[6]?.['secretKey']], [7, 0x102]);
  assert.equal(seen[12]?.['text'], 'SELECT 1');
  assert.deepEqual(
    [seen[15]?.['severity'], seen[15]?.['code'], seen[15]?.['hint']],
    ['ERROR', '25006', 'the primary'],
  );
  assert.equal(seen[16]?.['status'], 'E');
});
