/**
 * The classifier: a bounded cache of answers in front of the grammar. `classify` is total and synchronous; only
 * loading the grammar waits. The cache is keyed by the exact text, so no answer is shared by two texts.
 */
import { LRUCache } from 'lru-cache';
import { unreachable } from '../base/index.ts';
import type { Classification } from './classification.ts';
import { classifyTree, notLookedAt } from './classify.ts';
import { type Grammar, loadGrammar } from './grammar.ts';
import { isTree } from './tree.ts';

/** Tells what kind of statement a text of SQL is. Never throws, whatever the text. */
export interface Classifier {
  classify(sql: string): Classification;
  /** Counters since the start, for metrics. */
  stats(): ClassifierStats;
}

/** What the cache holds now, and what happened since the start. */
export interface ClassifierStats {
  readonly cacheHits: number;
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
  readonly cacheEntriesMax?: number;
  readonly cacheBytesMax?: number;
}

/** Loads the grammar (about 50 ms) and gives a classifier. Rejects if libpg-query is not installed whole. */
export async function loadClassifier(options: ClassifierOptions = {}): Promise<Classifier> {
  return new CachingClassifier(await loadGrammar(), { ...DEFAULTS, ...options });
}

const DEFAULTS: Required<ClassifierOptions> = {
  textBytesMax: 16 * 1024,
  cacheEntriesMax: 10_000,
  cacheBytesMax: 16 * 1024 * 1024,
};

class CachingClassifier implements Classifier {
  readonly #grammar: Grammar;
  readonly #textBytesMax: number;
  readonly #cache: LRUCache<string, Classification>;
  #hits = 0;
  #misses = 0;

  constructor(grammar: Grammar, limits: Required<ClassifierOptions>) {
    this.#grammar = grammar;
    this.#textBytesMax = limits.textBytesMax;
    this.#cache = new LRUCache({
      max: limits.cacheEntriesMax,
      maxSize: limits.cacheBytesMax,
      sizeCalculation: entryBytes,
    });
  }

  classify(sql: string): Classification {
    if (sql.length > this.#textBytesMax) return TOO_LONG;
    const known = this.#cache.get(sql);
    if (known !== undefined) {
      this.#hits += 1;
      return known;
    }
    this.#misses += 1;
    const answer = this.#classifyAnew(sql);
    if (answer !== GRAMMAR_NOT_READY) this.#cache.set(sql, answer);
    return answer;
  }

  stats(): ClassifierStats {
    return {
      cacheHits: this.#hits,
      cacheMisses: this.#misses,
      cacheEntries: this.#cache.size,
      cacheBytes: this.#cache.calculatedSize,
      grammarsLost: this.#grammar.lost,
    };
  }

  #classifyAnew(sql: string): Classification {
    if (Buffer.byteLength(sql) > this.#textBytesMax) return TOO_LONG;
    // What is not UTF-8 was decoded with a loss; and a NUL would end the text for the grammar, but not for us.
    if (sql.includes('\uFFFD')) return NOT_UTF8;
    if (sql.includes('\0')) return NOT_PARSED;
    if (isTooDense(sql)) return TOO_DENSE;
    const parsed = this.#grammar.parse(sql);
    switch (parsed.outcome) {
      case 'parsed':
        return isTree(parsed.tree) ? classifyTree(parsed.tree, sql) : NOT_PARSED;
      case 'refused':
        return NOT_PARSED;
      case 'unready':
        return GRAMMAR_NOT_READY;
    }
    return unreachable(parsed);
  }
}

const TOO_LONG = notLookedAt('too-long');
const TOO_DENSE = notLookedAt('too-dense');
const NOT_UTF8 = notLookedAt('not-utf8');
const NOT_PARSED = notLookedAt('not-parsed');
const GRAMMAR_NOT_READY = notLookedAt('grammar-not-ready');

/**
 * Operators and comments are what makes a short text expensive. `1+1+…` nests a level for every two bytes; the scanner
 * takes quadratic time over `+-+-…` (470 ms for 16 kB) and over nested comments (260 ms). Up to this many characters of
 * operators, of which a comment takes two, no text within the limit needs more than some 15 ms.
 */
const OPERATOR_CHARACTERS_MAX = 2_048;

function isTooDense(sql: string): boolean {
  if (sql.length <= OPERATOR_CHARACTERS_MAX) return false;
  let count = 0;
  for (let at = 0; at < sql.length; at++) {
    if (OPERATOR_CHARACTERS.has(sql.charCodeAt(at))) count += 1;
  }
  return count > OPERATOR_CHARACTERS_MAX;
}

/** PostgreSQL's set of them (`op_chars` in its scanner). */
const OPERATOR_CHARACTERS: ReadonlySet<number> = new Set(Buffer.from('~!@#^&|`?+-*/%<>='));

/** An upper bound: two bytes a character for the key, as much again for the texts of settings, and the objects. */
function entryBytes(answer: Classification, sql: string): number {
  const settings = answer.settings.length === 0 ? 0 : sql.length * 4 + answer.settings.length * SETTING_BYTES;
  return ENTRY_BYTES + sql.length * 2 + settings;
}

const ENTRY_BYTES = 256;
const SETTING_BYTES = 256;
