/**
 * What is wished of a statement's place, from all who may say so: its own comment, else the session's settings, else the
 * rules of the file; each for what the stronger leaves open. What cannot be met or read is told to the client, once. Pure.
 */
import {
  type HintRead,
  type Level,
  type Rule,
  readHint,
  type RefusedReads,
  ruleFor,
  type Staleness,
  type Wishes,
} from '../routing/index.ts';
import type { Classification } from '../sql/index.ts';
import type { ErrorFields } from '../wire/index.ts';
import type { Definitions } from './definitions.ts';
import type { Refusal } from './refusal.ts';
import { REPLY } from './replies.ts';
import { APPLICATION_NAME } from './server-parameters.ts';
import { OWN_PREFIX, type Settings } from './settings.ts';

/** What a session is given of the router's, for its routes. */
export interface SessionRouting {
  readonly user: string;
  readonly database: string;
  readonly rules: readonly Rule[];
  readonly firstStatementDecides: boolean;
  /** How fresh reads are that do not say it. */
  readonly consistency: Level;
  readonly maxStaleness: Staleness | undefined;
  /** What they make of its statements. */
  readonly definitions: Pick<Definitions, 'resolve' | 'generation'>;
  /** Its client has changed definitions. */
  readonly definitionsChanged: () => void;
  /** Of all sessions. */
  readonly refused: RefusedReads;
  /** A read that a standby has refused is run again elsewhere. */
  readonly rescued: (because: Refusal) => void;
}

interface WisherParts {
  /** The file's, as they are now. */
  readonly rules: () => readonly Rule[];
  readonly isMember: (name: string) => boolean;
  readonly tell: (fields: ErrorFields) => void;
}

/** Who wishes it: `hint`, `setting`, or `rule 3`. */
export interface Wished {
  readonly wishes: Wishes;
  readonly from: string;
}

/** What a client has been told of; more is not told. */
const TOLD_MAX = 16;

export class Wisher {
  readonly #routing: SessionRouting;
  readonly #rules: () => readonly Rule[];
  readonly #isMember: (name: string) => boolean;
  readonly #tell: (fields: ErrorFields) => void;
  readonly #told = new Set<string>();
  #settings: Settings | undefined = undefined;
  #ofSettings: Wishes | undefined = undefined;

  constructor(routing: SessionRouting, { rules, isMember, tell }: WisherParts) {
    this.#routing = routing;
    this.#rules = rules;
    this.#isMember = isMember;
    this.#tell = tell;
  }

  /** Nobody wishes anything of a statement without a hint. */
  isSilent(settings: Settings): boolean {
    if (settings !== this.#settings) this.#read(settings);
    return this.#ofSettings === undefined && this.#rules().length === 0;
  }

  /** `digest` is asked for only where a rule speaks of it. */
  of(found: Classification, settings: Settings, digest: () => string | undefined): Wished | undefined {
    if (settings !== this.#settings) this.#read(settings);
    const { user, database } = this.#routing;
    const rules = this.#rules();
    const said = this.#ofSettings;
    const hint = found.hint === undefined ? undefined : this.#understood(readHint(found.hint));
    const applicationName = settings.own.get(APPLICATION_NAME) ?? '';
    const rule = rules.length === 0 ? undefined : ruleFor(rules, { user, database, applicationName, digest });
    if (hint === undefined && said === undefined && rule === undefined) return undefined;
    const wishes = { ...rule?.wishes, ...said, ...hint };
    const from = hint?.route ? 'hint' : said?.route ? 'setting' : `rule ${rule?.number ?? ''}`.trim();
    if (wishes.route?.kind === 'node' && !this.#isMember(wishes.route.name)) {
      this.#once(`node=${wishes.route.name}`, REPLY.nodeUnknown(wishes.route.name));
    }
    return { wishes, from };
  }

  #read(settings: Settings): void {
    this.#settings = settings;
    this.#ofSettings = undefined;
    const words: string[] = [];
    for (const [name, value] of settings.own) {
      if (!name.startsWith(OWN_PREFIX) || value === '') continue;
      const key = name.slice(OWN_PREFIX.length);
      if (key === 'route') words.push(value);
      else if (key !== 'explain') words.push(`${key}=${value}`);
    }
    if (words.length > 0) this.#ofSettings = this.#understood(readHint(words.join(' ')));
  }

  #understood({ wishes, unread }: HintRead): Wishes {
    for (const word of unread) this.#once(word, REPLY.hintUnread(word));
    return wishes;
  }

  #once(key: string, fields: ErrorFields): void {
    if (this.#told.has(key) || this.#told.size >= TOLD_MAX) return;
    this.#told.add(key);
    this.#tell(fields);
  }
}
