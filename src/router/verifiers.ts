/**
 * Where the router learns what a client's password must fit: from a file of users, or from the cluster's servers, asked by
 * a role whose password is in the configuration or, put there by the leader's agent, in the store. Answers of servers are
 * kept for a while; whoever fails with one makes it be read again.
 */
import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { parseSecret, type Secret, type UserFile } from '../auth/index.ts';
import {
  type Address,
  type Clock,
  describe,
  failure,
  type Log,
  MatriarchError,
  parseJson,
  withDeadline,
} from '../base/index.ts';
import type { Dcs } from '../dcs/index.ts';
import { buildVerifier, type Verifier } from '../wire/index.ts';
import { lookupFailure, secretOf } from './lookup-question.ts';
import { OwnConnection } from './own-connection.ts';
import type { ServerTls } from './server-tls.ts';

export interface VerifiersOptions {
  /** Where the credential is read from; undefined where the file names it. */
  readonly dcs: Dcs | undefined;
  /** As the file names it; else the store's. */
  readonly credential?: Credential | undefined;
  readonly credentialKey: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Members to ask, the nearest first. */
  readonly members: () => readonly MemberToAsk[];
  /** As they are now. */
  readonly settings: () => LookupSettings;
}

export interface LookupSettings {
  readonly connectTimeoutMs: number;
  readonly query: string;
  readonly database: string;
  /** Who asks; undefined: as the store says. */
  readonly login: Credential | undefined;
  /** Users that need no asking; with them, others are asked about only if `login` is there. */
  readonly users: UserFile | undefined;
  readonly tls: ServerTls;
}

export interface MemberToAsk {
  readonly name: string;
  readonly address: Address;
  readonly isLeader: boolean;
}

const CACHE_ENTRIES_MAX = 10_000;
const CACHE_TTL_MS = 60_000;
const SALT_BYTES = 16;
const LOOKUP_TIMEOUT_MS = 5000;
const DCS_TIMEOUT_MS = 2000;

const credentialSchema = z.object({ username: z.string().min(1), password: z.string().min(1) });
export type Credential = z.output<typeof credentialSchema>;

export class Verifiers {
  readonly #options: VerifiersOptions;
  readonly #cache: LRUCache<string, Secret>;
  readonly #asked = new Map<string, Promise<Secret | undefined>>();
  /** The last failure of each member that was told. */
  readonly #told = new Map<string, string>();
  /** Of passwords, by what they are stored as. */
  readonly #made = new WeakMap<Secret, Verifier>();
  #credential: Credential | undefined = undefined;
  /** One connection a member, shared by all lookups from the moment it is being opened. */
  readonly #connections = new Map<string, Promise<OwnConnection>>();

  constructor(options: VerifiersOptions) {
    this.#options = options;
    const perf = { now: options.clock.now };
    this.#cache = new LRUCache({ max: CACHE_ENTRIES_MAX, ttl: CACHE_TTL_MS, perf });
  }

  /** What the file of users alone says of a user. */
  known(user: string): Secret | undefined {
    return this.#options.settings().users?.users.get(user);
  }

  /** How most users prove themselves. */
  get usualKind(): UserFile['usualKind'] {
    return this.#options.settings().users?.usualKind ?? 'scram';
  }

  /** What clients prove with SCRAM, of a password that is known: the same salt each time, made when it is first asked for. */
  verifierOf(secret: Secret): Verifier | undefined {
    if (secret.kind === 'scram') return secret.verifier;
    if (secret.kind === 'md5') return undefined;
    const made = this.#made.get(secret) ?? buildVerifier(secret.password, randomBytes(SALT_BYTES));
    this.#made.set(secret, made);
    return made;
  }

  /**
   * The secret of a role; undefined if there is no such role or none with a password. Rejects with
   * `router-no-server` if no server can be asked, which may be otherwise soon, and with `router-lookup-refused` if they
   * refuse the question, which somebody has to mend. Clients who ask for the same role at once share one answer.
   */
  async lookup(user: string): Promise<Secret | undefined> {
    const { users, login } = this.#options.settings();
    if (users?.users.has(user) === true) return users.users.get(user);
    if (users !== undefined && login === undefined) return undefined;
    const known = this.#cache.get(user);
    if (known !== undefined) return known;
    let asked = this.#asked.get(user);
    if (asked === undefined) {
      asked = this.#ask(user).finally(() => this.#asked.delete(user));
      this.#asked.set(user, asked);
    }
    return await asked;
  }

  /** The secret did not fit: the password may have been changed. */
  forget(user: string): void {
    this.#cache.delete(user);
  }

  /** As whom the router itself asks servers. Rejects with `router-no-credential`, or as the store does. */
  async credential(): Promise<Credential> {
    return this.#options.settings().login ?? (await this.#readCredential());
  }

  /** The store's was of no use: it is read again. */
  forgetCredential(): void {
    this.#credential = undefined;
  }

  /** The settings have changed: nothing of what was known before counts. */
  reset(): void {
    this.#cache.clear();
    this.#credential = undefined;
    this.close();
  }

  close(): void {
    for (const name of Array.from(this.#connections.keys())) this.#drop(name);
  }

  async #ask(user: string): Promise<Secret | undefined> {
    let text: string | undefined;
    let lastFailure: unknown = undefined;
    let isAnswered = false;
    // A standby may not know a new role or a right yet, so `no such role` and refusals are believed only of the leader,
    // or of all.
    const members = this.#inOrder();
    const refused: MemberToAsk[] = [];
    for (const member of members) {
      try {
        text = await this.#askMember(member, user);
        isAnswered = true;
        this.#told.delete(member.name);
        if (text !== undefined || member.isLeader) break;
      } catch (cause) {
        lastFailure = cause;
        if (isRefusal(cause)) refused.push(member);
        this.#tellFailure(member.name, cause);
      }
    }
    if (!isAnswered) {
      const areAll = refused.length > 0 && refused.length === members.length;
      if (areAll || refused.some(({ isLeader }) => isLeader)) {
        throw new MatriarchError('router-lookup-refused', 'the servers refuse to be asked about roles', {
          cause: lastFailure,
        });
      }
      throw new MatriarchError('router-no-server', 'no server could be asked about the role', {
        cause: lastFailure,
      });
    }
    const secret = text === undefined ? undefined : parseSecret(text);
    if (secret !== undefined) this.#cache.set(user, secret);
    return secret;
  }

  /** Once until it is another, or mended: a missing right fails every login, and each says the same again and again. */
  #tellFailure(member: string, failed: unknown): void {
    const cause = describe(failed);
    if (this.#told.get(member) === cause) return;
    this.#told.set(member, cause);
    if (isRefusal(failed)) this.#options.log.error('verifier-lookup-refused', { member, ...failure(failed) });
    else this.#options.log.warn('verifier-lookup-failed', { member, cause });
  }

  /** Members that we are connected to first. */
  #inOrder(): readonly MemberToAsk[] {
    const members = this.#options.members();
    for (const name of Array.from(this.#connections.keys())) {
      if (!members.some((member) => member.name === name)) this.#drop(name);
    }
    const isConnected = (member: MemberToAsk): boolean => this.#connections.has(member.name);
    return [...members.filter(isConnected), ...members.filter((member) => !isConnected(member))];
  }

  async #askMember(member: MemberToAsk, user: string): Promise<string | undefined> {
    const connecting = this.#connections.get(member.name) ?? this.#connect(member);
    try {
      const open = await connecting;
      const answer = secretOf(open, this.#options.settings().query, user);
      return await withDeadline(answer, LOOKUP_TIMEOUT_MS, 'reading a verifier');
    } catch (cause) {
      // A question that the server refused leaves the connection good for the questions of others.
      if (cause instanceof MatriarchError && cause.code === 'deadline-exceeded')
        this.#drop(member.name, connecting);
      throw cause;
    }
  }

  /** A connection that was not opened, or is lost while nobody asks, is not kept: who asks next would wait for its answer. */
  #connect(member: MemberToAsk): Promise<OwnConnection> {
    const drop = (): void => this.#drop(member.name, connecting);
    const connecting = this.#open(member, drop);
    this.#connections.set(member.name, connecting);
    connecting.catch(drop);
    return connecting;
  }

  /** Closes the connection to a member, unless it has been replaced by another than `which`. */
  #drop(name: string, which = this.#connections.get(name)): void {
    if (which === undefined || this.#connections.get(name) !== which) return;
    this.#connections.delete(name);
    which.then(
      (open) => open.close(),
      () => undefined, // whoever waited for it was told
    );
  }

  async #open(member: MemberToAsk, lost: () => void): Promise<OwnConnection> {
    const { login, database, connectTimeoutMs, tls } = this.#options.settings();
    const open = async (credential: Credential): Promise<OwnConnection> => {
      const connection = new OwnConnection({
        address: member.address,
        role: { ...credential, database },
        tls,
        connectTimeoutMs,
        failure: lookupFailure,
        lost,
      });
      await connection.opened;
      return connection;
    };
    const kept = login ?? this.#credential;
    try {
      return await open(kept ?? (await this.#readCredential()));
    } catch (cause) {
      const used = this.#credential;
      this.#credential = undefined;
      // Perhaps the store's was changed since it was read.
      if (used === undefined || used !== kept || !isRefusal(cause)) throw cause;
      const now = await this.#readCredential();
      if (now.username === used.username && now.password === used.password) throw cause;
      return await open(now);
    }
  }

  async #readCredential(): Promise<Credential> {
    if (this.#credential !== undefined) return this.#credential;
    const { dcs, credential, credentialKey } = this.#options;
    if (credential !== undefined) return credential;
    if (dcs === undefined) {
      throw new MatriarchError(
        'router-no-credential',
        'neither etcd nor router.auth_user tells whom to ask as',
      );
    }
    const entry = await dcs.get(credentialKey, { timeoutMs: DCS_TIMEOUT_MS });
    if (entry === undefined) {
      throw new MatriarchError('router-no-credential', `the key ${credentialKey} does not exist yet`);
    }
    this.#credential = readCredential(entry.value);
    if (this.#credential === undefined) {
      throw new MatriarchError('router-no-credential', `the key ${credentialKey} cannot be read`);
    }
    return this.#credential;
  }
}

function isRefusal(cause: unknown): boolean {
  return cause instanceof MatriarchError && cause.code === 'router-lookup-refused';
}

function readCredential(text: string): Credential | undefined {
  return credentialSchema.safeParse(parseJson(text)).data;
}
