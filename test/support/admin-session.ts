/** An admin session for tests: what it sends, read back as short lines, and the orders that it gives. */
import {
  type AdminAccess,
  type AdminFacts,
  type AdminOrder,
  AdminSession,
  type OrderOutcome,
} from '../../src/admin/index.ts';
import { readCommandComplete, readErrorFields, readParameterStatus } from '../../src/wire/index.ts';
import { aRoute, someFacts } from './admin-facts.ts';

export interface Given {
  readonly order: AdminOrder;
  readonly done: (outcome: OrderOutcome) => void;
}

export class AdminTalk {
  readonly session: AdminSession;
  readonly given: Given[] = [];
  readonly backlog: boolean[] = [];
  hasEnded = false;
  #bytes: Buffer[] = [];

  /** `atOnce`: orders are done as soon as they are given. */
  constructor(
    options: { readonly access?: AdminAccess; readonly facts?: AdminFacts; readonly atOnce?: boolean } = {},
  ) {
    const facts = options.facts ?? someFacts();
    this.session = new AdminSession({
      user: 'ops',
      access: options.access ?? 'admin',
      applicationName: 'psql',
      processId: 42,
      secretKey: Buffer.from([1, 2, 3, 4]),
      facts: () => facts,
      routeOf: (question) => aRoute(question),
      actions: {
        perform: (order, done) => {
          this.given.push({ order, done });
          if (options.atOnce === true) done({ kind: 'done' });
        },
      },
      send: (bytes) => this.#bytes.push(bytes),
      backlog: (isFull) => this.backlog.push(isFull),
      end: () => {
        this.hasEnded = true;
      },
    });
  }

  /** Sends messages in one piece; gives the answers as lines. */
  say(...messages: readonly Buffer[]): readonly string[] {
    this.session.receive(Buffer.concat(messages));
    return this.heard();
  }

  /** All bytes since the last look. */
  bytes(): Buffer {
    const bytes = Buffer.concat(this.#bytes);
    this.#bytes = [];
    return bytes;
  }

  heard(): readonly string[] {
    const bytes = this.bytes();
    const lines: string[] = [];
    for (let offset = 0; offset < bytes.length; ) {
      const end = offset + 1 + bytes.readInt32BE(offset + 1);
      lines.push(lineOf(bytes.subarray(offset, end)));
      offset = end;
    }
    return lines;
  }
}

function lineOf(message: Buffer): string {
  const tag = String.fromCharCode(message[0] ?? 0);
  switch (tag) {
    case 'C':
      return `C ${readCommandComplete(message)}`;
    case 'E':
    case 'N': {
      const { code, message: said } = readErrorFields(message);
      return `${tag} ${code} ${said}`;
    }
    case 'S': {
      const { name, value } = readParameterStatus(message);
      return `S ${name}=${value}`;
    }
    case 'Z':
      return `Z ${message.toString('latin1', 5)}`;
    case 'D':
      return `D ${cells(message).join('|')}`;
    case 'T':
      return `T ${columns(message).join('|')}`;
    default:
      return tag;
  }
}

function cells(message: Buffer): string[] {
  const count = message.readInt16BE(5);
  const found: string[] = [];
  let offset = 7;
  for (let index = 0; index < count; index += 1) {
    const length = message.readInt32BE(offset);
    offset += 4;
    found.push(length === -1 ? '-' : message.toString('utf8', offset, offset + length));
    offset += Math.max(0, length);
  }
  return found;
}

/** `name:oid/format` */
function columns(message: Buffer): string[] {
  const count = message.readInt16BE(5);
  const found: string[] = [];
  let offset = 7;
  for (let index = 0; index < count; index += 1) {
    const end = message.indexOf(0, offset);
    const name = message.toString('utf8', offset, end);
    found.push(`${name}:${message.readInt32BE(end + 7)}/${message.readInt16BE(end + 17)}`);
    offset = end + 19;
  }
  return found;
}
