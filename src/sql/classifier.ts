/**
 * The classifier: a bounded cache of answers in front of the grammar. `classify` is total and synchronous; only
 * loading the grammar waits. The cache has two kinds of keys. By its digest (see `digest.ts`) a text shares the answer
 * with all that differ from it in literals only; where a literal mattered, the entry of the digest says no more than
 * that, and the answer is kept by the exact text.
 */
import { isUtf8 } from 'node:buffer';
import { LRUCache } from 'lru-cache';
import { unreachable } from '../base/index.ts';
import type { Classification } from './classification.ts';
import { classifyTree, notLookedAt } from './classify.ts';
import { Digester, digestText, leavesOutLiterals } from './digest.ts';
import { headComment } from './head-comment.ts';
import { type Grammar, loadGrammar } from './grammar.ts';
import type { Attention } from './part.ts';
import { ReferenceCollector, sizeOf } from './references.ts';
import { isTree } from './tree.ts';

/** Tells what kind of statement a text of SQL is. Never throws, whatever the text. */
export interface Classifier {
  classify(sql: string): Classification;
  /**
   * The same for a text still in the message it came in: the bytes from `start` to before `end`, without the zero
   * that ends it. Nothing of `bytes` is kept. The way for each statement that passes: what is known is not decoded.
   */
  classifyBytes(bytes: Buffer, start?: number, end?: number): Classification;
  /**
   * What texts that differ in literals and white space have in common, with `?` for each literal: a name for rules and
   * counts. Undefined for a text too long or not safely shared (dollar quotes, joined strings, E'' and the like).
   */
  digest(bytes: Buffer, start?: number, end?: number): string | undefined;
  /** Counters since the start, for metrics. */
  stats(): ClassifierStats;
}

/** What the cache holds now, and what happened since the start. */
export interface ClassifierStats {
  /** The sum of the two kinds of hits below. */
  readonly cacheHits: number;
  /** Answered by the digest, whatever the literals. */
  readonly digestHits: number;
  /** Answered by the exact text. */
  readonly textHits: number;
  readonly cacheMisses: number;
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  /** Times the grammar's instance broke and was replaced: see `grammar.ts`. */
  readonly grammarsLost: number;
}

/** The bounds, all with defaults. */
export interface ClassifierOptions {
  /**
   * Texts longer than this (in UTF-8) are not parsed: they are writes. More than 16 kB is for tests only: a hostile
   * text could then break the grammar's instance.
   */
  readonly textBytesMax?: number;
  /** Nor are those of more tokens, about: they would keep other clients waiting. */
  readonly tokensMax?: number;
  readonly cacheEntriesMax?: number;
  readonly cacheBytesMax?: number;
}

/** Loads the grammar (some 100 ms) and gives a classifier. Rejects if libpg-query is not installed whole. */
export async function loadClassifier(options: ClassifierOptions = {}): Promise<Classifier> {
  const grammar = await loadGrammar();
  warmUp(new CachingClassifier(grammar, DEFAULTS));
  return new CachingClassifier(grammar, { ...DEFAULTS, ...options });
}

/** What is compiled at its first use, some 70 ms of it, is used before the first client waits for it. */
function warmUp(classifier: Classifier): void {
  for (const sql of SAMPLES) classifier.classify(sql);
}

const SAMPLES: readonly string[] = [
  'SELECT a.b, count(*) FROM a JOIN c ON a.id = c.id WHERE a.x IN (1, 2) GROUP BY 1 ORDER BY 2 DESC LIMIT 10',
  'WITH d AS (SELECT lower(e) FROM s.f WHERE g LIKE $1) SELECT *, h::int[] FROM d LEFT JOIN i USING (j)',
  "INSERT INTO a (b, c) VALUES ($1, 'd'), ($2, NULL) ON CONFLICT (b) DO UPDATE SET c = excluded.c RETURNING b",
  'UPDATE a SET b = b + 1, c = CASE WHEN d THEN now() END WHERE e = ANY ($1) AND NOT f',
  'DELETE FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.c = a.c)',
  'BEGIN ISOLATION LEVEL REPEATABLE READ; SAVEPOINT a; COMMIT',
  "SET LOCAL work_mem = '4MB'",
];

const DEFAULTS: Required<ClassifierOptions> = {
  textBytesMax: 16 * 1024,
  /**
   * A tree takes time by its tokens: some 3 µs for each, from the scanner to our own tables, on a busy machine; so these
   * take 15 ms. That is a list of 2,500 numbers, or a long report; 16 kB could hold 16,000.
   */
  tokensMax: 5_000,
  cacheEntriesMax: 10_000,
  cacheBytesMax: 16 * 1024 * 1024,
};

class CachingClassifier implements Classifier {
  readonly #grammar: Grammar;
  readonly #textBytesMax: number;
  readonly #tokensMax: number;
  readonly #digester: Digester;
  readonly #cache: LRUCache<string, Known>;
  #digestHits = 0;
  #textHits = 0;
  #misses = 0;

  constructor(grammar: Grammar, limits: Required<ClassifierOptions>) {
    this.#grammar = grammar;
    this.#textBytesMax = limits.textBytesMax;
    this.#tokensMax = limits.tokensMax;
    this.#digester = new Digester(limits.textBytesMax);
    this.#cache = new LRUCache({
      max: limits.cacheEntriesMax,
      maxSize: limits.cacheBytesMax,
      sizeCalculation: entryBytes,
    });
  }

  classify(sql: string): Classification {
    return sql.length > this.#textBytesMax ? TOO_LONG : this.classifyBytes(Buffer.from(sql));
  }

  classifyBytes(bytes: Buffer, start = 0, end = bytes.length): Classification {
    if (end - start > this.#textBytesMax) return TOO_LONG;
    if (hasManyOperators(bytes, start, end)) return TOO_DENSE;
    const shared = this.#digester.sharedKey(bytes, start, end);
    const known = shared === undefined ? ONLY_BY_TEXT : this.#cache.get(shared);
    if (known === undefined || known === ONLY_BY_TEXT)
      return this.#classifyText(bytes.subarray(start, end), known, shared);
    this.#digestHits += 1;
    return known;
  }

  digest(bytes: Buffer, start = 0, end = bytes.length): string | undefined {
    if (end - start > this.#textBytesMax) return undefined;
    const shared = this.#digester.sharedKey(bytes, start, end);
    return shared === undefined ? undefined : digestText(shared);
  }

  stats(): ClassifierStats {
    return {
      cacheHits: this.#digestHits + this.#textHits,
      digestHits: this.#digestHits,
      textHits: this.#textHits,
      cacheMisses: this.#misses,
      cacheEntries: this.#cache.size,
      cacheBytes: this.#cache.calculatedSize,
      grammarsLost: this.#grammar.lost,
    };
  }

  /** `known` is what the cache says of the digest: nothing yet, or that the answer hangs on the text. */
  #classifyText(
    text: Buffer,
    known: typeof ONLY_BY_TEXT | undefined,
    shared: string | undefined,
  ): Classification {
    const own = this.#digester.ownKey(text, 0, text.length);
    const before = known === undefined ? undefined : this.#cache.get(own);
    if (before !== undefined && before !== ONLY_BY_TEXT) {
      this.#textHits += 1;
      return before;
    }
    this.#misses += 1;
    if (tokens(shared ?? own) > this.#tokensMax) return TOO_DENSE;
    const attention: Attention = {
      literal: false,
      isOfFunctions: false,
      sets: [],
      creates: false,
      references: new ReferenceCollector(),
    };
    const answer = this.#classifyAnew(text, attention);
    if (answer === GRAMMAR_NOT_READY) return answer;
    if (shared !== undefined && isShareable(answer, attention, shared)) {
      this.#cache.set(shared, answer);
      return answer;
    }
    if (shared !== undefined) this.#cache.set(shared, ONLY_BY_TEXT);
    this.#cache.set(own, answer);
    return answer;
  }

  #classifyAnew(text: Buffer, attention: Attention): Classification {
    // What is not UTF-8 would be decoded with a loss; and a NUL would end the text for the grammar, but not for us.
    const sql = text.toString();
    if (!isUtf8(text) || sql.includes('\uFFFD')) return NOT_UTF8;
    if (sql.includes('\0')) return NOT_PARSED;
    const parsed = this.#grammar.parse(sql);
    switch (parsed.outcome) {
      case 'parsed':
        return isTree(parsed.tree) ? withHint(classifyTree(parsed.tree, sql, attention), sql) : NOT_PARSED;
      case 'refused':
        return NOT_PARSED;
      case 'unready':
        return GRAMMAR_NOT_READY;
    }
    return unreachable(parsed);
  }
}

/** What an entry of the cache holds: an answer, or for a digest that its texts must be asked one by one. */
type Known = Classification | typeof ONLY_BY_TEXT;
const ONLY_BY_TEXT = 'only-by-text';

/**
 * Whether an answer holds for every text of its digest. Settings and what is prepared carry the statement's own text; places
 * are its own too.
 */
function isShareable(answer: Classification, attention: Attention, shared: string): boolean {
  if (answer === NOT_PARSED || answer === NOT_UTF8 || answer.settings.length > 0) return false;
  if (answer.goesOnAt !== undefined || answer.prepares !== undefined) return false;
  return !attention.literal || !leavesOutLiterals(shared);
}

function withHint(answer: Classification, sql: string): Classification {
  const hint = headComment(sql);
  return hint === undefined ? answer : Object.freeze({ ...answer, hint });
}

const TOO_LONG = notLookedAt('too-long');
const TOO_DENSE = notLookedAt('too-dense');
const NOT_UTF8 = notLookedAt('not-utf8');
const NOT_PARSED = notLookedAt('not-parsed');
const GRAMMAR_NOT_READY = notLookedAt('grammar-not-ready');

/**
 * Operators and comments are what makes a short text expensive. `1+1+…` nests a level for every two bytes; the scanner
 * takes quadratic time over `+-+-…` (470 ms for 16 kB) and over nested comments (260 ms). Of a comment two characters
 * count. Literals count too, so this is asked of each text before its digest is.
 */
const OPERATOR_CHARACTERS_MAX = 1_536;

function hasManyOperators(bytes: Buffer, start: number, end: number): boolean {
  if (end - start <= OPERATOR_CHARACTERS_MAX) return false;
  let count = 0;
  for (let at = start; at < end; at++) count += OPERATOR_CHARACTERS[bytes[at] ?? 0] ?? 0;
  return count > OPERATOR_CHARACTERS_MAX;
}

/** 1 for each of PostgreSQL's (`op_chars` in its scanner). */
const OPERATOR_CHARACTERS: Uint8Array = new Uint8Array(256);
for (const byte of Buffer.from('~!@#^&|`?+-*/%<>=')) OPERATOR_CHARACTERS[byte] = 1;

/**
 * About how many, the end of a statement counting as more, since each has a tree of its own. In a key a literal is one; in
 * a text that has no key (dollar quotes and the like) what is quoted counts too.
 */
function tokens(text: string): number {
  let count = 0;
  let isWord = false;
  for (let at = 0; at < text.length; at++) {
    const kind = TOKEN_KINDS[text.charCodeAt(at)] ?? WORD;
    if (kind === STATEMENT_END) count += STATEMENT_TOKENS;
    else if (kind === MARK || (kind === WORD && !isWord)) count += 1;
    isWord = kind === WORD;
  }
  return count;
}

const BLANK = 0;
const WORD = 1;
/** A token by itself, or nearly: the characters of one operator are counted one by one. */
const MARK = 2;
const STATEMENT_END = 3;
const STATEMENT_TOKENS = 6;

const TOKEN_KINDS: Uint8Array = new Uint8Array(256).fill(MARK);
for (const byte of Buffer.from(' \t\n\f\r\v')) TOKEN_KINDS[byte] = BLANK;
TOKEN_KINDS[';'.charCodeAt(0)] = STATEMENT_END;
for (let byte = 0; byte < TOKEN_KINDS.length; byte++)
  if (byte > 0x7f || /[\w$]/.test(String.fromCharCode(byte))) TOKEN_KINDS[byte] = WORD;

/** An upper bound: a byte a character for the key, four as much for the texts of settings, and the objects. */
function entryBytes(known: Known, key: string): number {
  if (known === ONLY_BY_TEXT) return ENTRY_BYTES + key.length;
  const names = known.references ?? known.touches;
  const referred = names === undefined ? 0 : sizeOf(names) * REFERENCE_BYTES + key.length;
  const isBare = known.settings.length === 0 && known.prepares === undefined;
  const texts = isBare ? 0 : key.length * 4;
  return ENTRY_BYTES + key.length + texts + referred + known.settings.length * SETTING_BYTES;
}

const ENTRY_BYTES = 256;
const SETTING_BYTES = 256;
const REFERENCE_BYTES = 128;
