/** A server that answers as PostgreSQL would, for tests of sessions without sockets. */
import {
  BACKEND,
  BindComplete,
  CloseComplete,
  CommandComplete,
  type ErrorFields,
  ErrorResponse,
  FRAME_BYTES_MAX,
  FRONTEND,
  FrameReader,
  NoData,
  ParseComplete,
  ReadyForQuery,
  readBind,
  readClose,
  readDescribe,
  readParse,
  readQuery,
  type TransactionStatus,
} from '../../src/wire/index.ts';

/** A server as far as the session can tell: `SELECT 7` gives the row 7, `fail` an error, BEGIN and COMMIT what they do. */
export class TestServer {
  readonly name: string;
  readonly log: string[];
  status: TransactionStatus = 'I';
  /** Timeline of a primary; undefined: in recovery. */
  timeline: number | undefined;
  /** What it has answered and the session has not got. */
  out: Buffer = Buffer.alloc(0);
  isSilent = false;
  /** Transactions are serializable by default: a standby refuses what needs a snapshot. */
  isSerializable = false;
  /** What it says when it is asked what the session has left, and which settings it has made. */
  audited = 'of-no-kind';
  /** So many times it is cut off in answering that. */
  auditsCutOff = 0;
  auditedSettings: readonly (string | undefined)[] = [];
  readonly #statements = new Map<string, string>();
  #portal = '';
  #isSkipping = false;
  readonly #reader = new FrameReader({ wholeBytesMax: FRAME_BYTES_MAX });

  constructor(name: string, log: string[], timeline: number | undefined) {
    this.name = name;
    this.log = log;
    this.timeline = timeline;
  }

  receive(bytes: Buffer): void {
    this.#reader.push(Buffer.from(bytes), {
      delivery: () => 'whole',
      whole: (tag, message) => this.#answer(tag, message),
      pass: () => undefined,
    });
  }

  #say(...messages: Buffer[]): void {
    if (!this.isSilent) this.out = Buffer.concat([this.out, ...messages]);
  }

  #answer(tag: number, message: Buffer): void {
    if (this.#isSkipping && tag !== FRONTEND.Sync) return;
    switch (tag) {
      case FRONTEND.Query: {
        const text = readQuery(message);
        this.log.push(`${this.name} < ${ownName(text) ?? text}`);
        this.#statements.delete('');
        this.#run(text, true);
        this.#say(ReadyForQuery(this.status));
        return;
      }
      case FRONTEND.Parse: {
        const { name, sql } = readParse(message);
        this.log.push(`${this.name} < ${ownName(sql) ?? `Parse ${name}: ${sql}`}`);
        if (name !== '' && this.#statements.has(name)) return this.#fail('42P05');
        if (sql.includes('unparsable')) return this.#fail('42601');
        this.#statements.set(name, sql);
        return this.#say(ParseComplete());
      }
      case FRONTEND.Bind: {
        const { statement } = readBind(message);
        const text = this.#statements.get(statement);
        if (text === undefined) return this.#fail('26000', false, { message: `there is no ${statement}` });
        this.#portal = text;
        return this.#say(BindComplete());
      }
      case FRONTEND.Describe:
        if (readDescribe(message).kind === 'statement' && !this.#statements.has(readDescribe(message).name)) {
          return this.#fail('26000');
        }
        return this.#say(NoData());
      case FRONTEND.Execute:
        if (ownName(this.#portal) === undefined) this.log.push(`${this.name} < Execute ${this.#portal}`);
        return this.#run(this.#portal, false);
      case FRONTEND.Close: {
        const { kind, name } = readClose(message);
        if (name !== 'matriarch own') this.log.push(`${this.name} < Close ${name}`);
        if (kind === 'statement') this.#statements.delete(name);
        return this.#say(CloseComplete());
      }
      case FRONTEND.Sync:
        this.#isSkipping = false;
        return this.#say(ReadyForQuery(this.status));
    }
  }

  #run(text: string, isSimple: boolean): void {
    if (text.includes('pg_walfile_name')) {
      const name = this.timeline?.toString(16).toUpperCase().padStart(8, '0');
      this.#say(
        aRow(name === undefined ? undefined : `${name}0000000000000001`),
        CommandComplete('SELECT 1'),
      );
      return;
    }
    if (ownName(text) === '(audit)') {
      if (this.auditsCutOff-- > 0) return this.#fail('57014', isSimple);
      const [listed, role, user, ...custom] = this.auditedSettings;
      this.#say(aRow(this.audited, listed, role, user, undefined, ...custom), CommandComplete('SELECT 1'));
      return;
    }
    const isEnd = /^(COMMIT|ROLLBACK)/.test(text);
    if (this.status === 'E' && !isEnd) return this.#fail('25P02', isSimple);
    if (text === 'EXECUTE "matriarch none"') return this.#fail('26000', isSimple, { message: text });
    if (text.includes('fail')) return this.#fail('22012', isSimple);
    if (this.timeline === undefined && text.includes('refused_by_standby'))
      return this.#fail('25006', isSimple);
    if (this.timeline === undefined && text.includes('wal_position'))
      return this.#fail('55000', isSimple, { routine: 'pg_current_wal_lsn' });
    if (this.timeline === undefined && this.isSerializable && text.startsWith('SELECT'))
      return this.#fail('0A000', isSimple, { routine: 'GetSerializableTransactionSnapshot' });
    if (/^(?:\/\*.*\*\/ )?BEGIN(?!.*(COMMIT|ROLLBACK)$)/.test(text)) this.status = 'T';
    if (isEnd) {
      this.#say(CommandComplete(this.status === 'E' ? 'ROLLBACK' : text));
      this.status = text.endsWith('AND CHAIN') ? 'T' : 'I';
      return;
    }
    const number = /(\d+)\D*$/.exec(text)?.[1] ?? '';
    if (text.startsWith('SELECT')) this.#say(aRow(number), CommandComplete('SELECT 1'));
    else
      this.#say(
        CommandComplete(text.split(' ')[0] === 'INSERT' ? `INSERT 0 ${number}` : (text.split(' ')[0] ?? '')),
      );
  }

  #fail(code: string, isSimple = false, fields: Partial<ErrorFields> = {}): void {
    if (this.status === 'T') this.status = 'E';
    this.#isSkipping = !isSimple;
    this.#say(ErrorResponse({ severity: 'ERROR', code, message: 'as the test wants', ...fields }));
  }
}

/** What the router asks for itself. */
function ownName(text: string): string | undefined {
  if (text.includes('pg_walfile_name')) return '(probe)';
  return text.includes('pg_my_temp_schema') ? '(audit)' : undefined;
}

/** A DataRow of text columns. */
export function aRow(...values: readonly (string | undefined)[]): Buffer {
  const head = Buffer.alloc(7);
  const columns = values.map((value) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(value === undefined ? -1 : Buffer.byteLength(value));
    return Buffer.concat([length, Buffer.from(value ?? '')]);
  });
  const row = Buffer.concat([head, ...columns]);
  row[0] = BACKEND.DataRow;
  row.writeInt32BE(row.length - 1, 1);
  row.writeInt16BE(values.length, 5);
  return row;
}
