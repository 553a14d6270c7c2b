/**
 * Synchronous replication of a model primary. A setting that is reloaded is seen by sessions at once, by the checkpointer
 * (by whose word backends wait at all) and by each WAL sender (which counts confirmations, and lets backends go) when these
 * come to it: three moments, in any order, as in PostgreSQL.
 */
import type { Server } from './server.ts';
import type { Position } from './wal.ts';

export interface Required {
  readonly names: readonly string[];
  readonly acks: number;
}

export const NOBODY_REQUIRED: Required = { names: [], acks: 0 };

/** Read once each: a run has few, and asks at each write. */
const known = new Map<string, Required>();

export function requiredBy(setting: string): Required {
  let required = known.get(setting);
  if (required === undefined) {
    required = read(setting);
    known.set(setting, required);
  }
  return required;
}

function read(setting: string): Required {
  const names = Array.from(setting.matchAll(/"([^"]+)"/g), ([, name]) => name ?? '');
  const acks = Number(/^ANY (\d+) /.exec(setting)?.[1] ?? 0);
  return names.length === 0 ? NOBODY_REQUIRED : { names, acks };
}

export class Waiting {
  readonly #server: Server;
  #records: Position[] = [];
  #setting = '';
  #checkpointer = '';
  readonly #senders = new Map<Server, string>();
  readonly #flushed = new Map<Server, number>();

  constructor(server: Server) {
    this.#server = server;
  }

  /** As sessions see it. */
  get setting(): string {
    return this.#setting;
  }

  get isCheckpointerIdle(): boolean {
    return this.#checkpointer === this.#setting;
  }

  /** The server starts with this setting: all of it, at once. */
  begin(setting: string): void {
    this.#records = [];
    this.#setting = setting;
    this.#checkpointer = setting;
    this.#senders.clear();
    this.#flushed.clear();
  }

  reload(setting: string): void {
    if (setting === this.#setting) return;
    const { world, life, followers } = this.#server;
    const { events, chance } = world;
    this.#setting = setting;
    events.after(chance.isTrue(0.9) ? chance.between(1, 60) : chance.between(100, 3000), life, () => {
      this.#checkpointer = this.#setting;
      if (requiredBy(this.#checkpointer).names.length === 0) this.#release(Number.POSITIVE_INFINITY);
    });
    for (const follower of followers)
      events.after(chance.isTrue(0.9) ? chance.between(1, 60) : chance.between(100, 2000), life, () => {
        if (this.#senders.has(follower)) this.#senders.set(follower, this.#setting);
      });
  }

  /** A WAL sender for this standby begins. */
  connected(standby: Server): void {
    this.#senders.set(standby, this.#setting);
  }

  disconnected(standby: Server): void {
    this.#senders.delete(standby);
    this.#flushed.delete(standby);
  }

  isCounted(standby: Server): boolean {
    return requiredBy(this.#senders.get(standby) ?? '').names.includes(standby.name);
  }

  /** A record is flushed: acknowledged now, or when standbys have confirmed it. */
  flushed(record: Position): void {
    if (requiredBy(this.#checkpointer).names.length > 0) this.#records.push(record);
    else this.#server.world.watcher.acknowledged(this.#server, record);
  }

  awaits(lsn: number): boolean {
    const [first] = this.#records;
    return first !== undefined && first.lsn <= lsn;
  }

  /** A standby says that it has flushed everything up to there. */
  confirmed(by: Server, lsn: number): void {
    if (!this.#senders.has(by)) return;
    this.#flushed.set(by, Math.max(lsn, this.#flushed.get(by) ?? 0));
    const { names, acks } = requiredBy(this.#senders.get(by) ?? '');
    if (!names.includes(by.name)) return;
    const positions = [...this.#flushed].filter(([each]) => names.includes(each.name)).map(([, at]) => at);
    const common = positions.sort((a, b) => b - a)[acks - 1];
    if (common !== undefined) this.#release(common);
  }

  #release(lsn: number): void {
    const server = this.#server;
    for (let [first] = this.#records; first !== undefined && first.lsn <= lsn; [first] = this.#records) {
      if (!server.mayAcknowledge) return;
      this.#records.shift();
      server.world.watcher.acknowledged(server, first);
    }
  }
}
