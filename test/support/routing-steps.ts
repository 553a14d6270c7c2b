/**
 * Conversations and where each of their statements must run, as text: steps parted by ` ;; `, each a word and a statement.
 * The word:
 *
 *   [!] p|s|- [/p|/s] [#ROWS] [@OP[:NAME]]
 *
 *   !      an error is wanted
 *   p s -  the primary; a standby must be eligible; no matter
 *   /s     so it is published, by pgpool-II's tests; ours is another
 *   #2     so many rows are wanted
 *   @…     how it is said: `as:S1` under a name, `parse:S1` prepared only, `run:S1` what was prepared (`run:S1=5` with a
 *          parameter), `portal:c` described only, `copy` with rows from the client, `pipe` with what is behind `;&` in one pipeline
 */
export interface RoutingStep {
  readonly sql: string;
  readonly where: Where;
  readonly published: Where;
  readonly isError: boolean;
  readonly rows?: number;
  readonly op?: 'as' | 'parse' | 'run' | 'portal' | 'copy' | 'pipe';
  readonly name: string;
  readonly parameter?: string;
}

export type Where = 'primary' | 'standby' | 'any';

/** What a case needs beside the usual stand: see routing-play.ts. */
export type RouterKind = 'usual' | 'fresh' | 'first-decides' | 'all-late' | 'one-late' | 'swapped';

export interface RoutingCase {
  readonly name: string;
  readonly steps: readonly RoutingStep[];
  readonly router: RouterKind;
  /** Who plays it. */
  readonly as: { readonly user?: string; readonly database?: string; readonly application?: string };
  /** Ours, in place of a setting of pgpool-II's. */
  readonly setting: string;
  /** Why it is not as published. */
  readonly differs: string;
}

const LETTERS = { p: 'primary', s: 'standby', '-': 'any' } as const;
const WORD = /^(!?)([ps-])(?:\/([ps]))?(?:#(\d+))?(?:@([a-z]+)(?::(\w*)(?:=(\w+))?)?)?$/;
const OPS = ['as', 'parse', 'run', 'portal', 'copy', 'pipe'] as const;

export function aCase(name: string, text: string, more: Partial<RoutingCase> = {}): RoutingCase {
  const steps = text.split(' ;; ').map(stepOf);
  return { name, router: 'usual', as: {}, setting: '', differs: '', ...more, steps };
}

/** Cases of one statement each, or of several in a row parted by `;;`, all of which run at one place. */
export function allAt(letter: 'p' | 's', texts: readonly string[]): readonly RoutingCase[] {
  return texts.map((text) =>
    aCase(
      text,
      text
        .split(';;')
        .map((sql) => `${letter} ${sql}`)
        .join(' ;; '),
    ),
  );
}

function stepOf(text: string): RoutingStep {
  const blank = text.indexOf(' ');
  const word = blank < 0 ? text : text.slice(0, blank);
  const [, error, letter, published, rows, op, name = '', parameter] = WORD.exec(word) ?? [];
  const known = OPS.find((each) => each === op);
  if (!isLetter(letter) || (op !== undefined && known === undefined)) throw new Error(`what is ${word}?`);
  return {
    sql: blank < 0 ? '' : text.slice(blank + 1),
    where: LETTERS[letter],
    published: LETTERS[isLetter(published) ? published : letter],
    isError: error === '!',
    name,
    ...(rows === undefined ? {} : { rows: Number(rows) }),
    ...(known === undefined ? {} : { op: known }),
    ...(parameter === undefined ? {} : { parameter }),
  };
}

const isLetter = (text: string | undefined): text is keyof typeof LETTERS =>
  text !== undefined && text in LETTERS;
