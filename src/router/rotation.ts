/**
 * The order in which nodes serve reads: one whole round of weighted choices, laid out ahead, since one at a time would cost
 * more than all else about a read. A node that gets a part of its share only hands the rest of its turns on to the others, by
 * their weights; the turns of the others stay exact. Pure.
 */
import { type ChoiceState, chooseWeighted, emptyChoice } from '../topology/index.ts';

export interface Turn {
  readonly name: string;
  readonly weight: number;
}

interface Node {
  readonly name: string;
  /** In (0, 1]. */
  share: number;
  /** What it has kept too little of, in turns. */
  credit: number;
  handedOn: number;
  /** The round of the others. */
  others: Round | undefined;
}

interface Round {
  readonly nodes: readonly Node[];
  at: number;
}

/** Rounds whose weights add up to more are not laid out: `next` then gives nobody. */
const TURNS_MAX = 4096;

export class Rotation {
  readonly #nodes = new Map<string, Node>();
  #round: Round = { nodes: [], at: 0 };
  #turns: readonly Turn[] = [];
  #planned = '';

  /** From here on these take turns; who does already goes on where it was. */
  plan(turns: readonly Turn[]): void {
    const planned = turns.map(({ name, weight }) => `${name}=${weight}`).join(' ');
    if (planned === this.#planned) return;
    this.#planned = planned;
    this.#turns = turns;
    this.#round = this.#roundOf(turns);
    for (const node of this.#nodes.values()) node.others = undefined;
  }

  /** It keeps this part of its turns. */
  setShare(name: string, share: number): void {
    this.#nodeOf(name).share = share;
  }

  /** Who would be next; no turn is taken. */
  peek(): string | undefined {
    const node = this.#round.nodes[this.#round.at];
    if (node === undefined || node.credit + node.share >= 1) return node?.name;
    const others = this.#othersOf(node);
    return others.nodes[others.at]?.name ?? node.name;
  }

  next(): string | undefined {
    const node = take(this.#round);
    if (node === undefined || node.share === 1) return node?.name;
    node.credit += node.share;
    if (node.credit >= 1) {
      node.credit -= 1;
      return node.name;
    }
    const other = this.instead(node.name);
    if (other !== undefined) this.handOn(node.name);
    return other ?? node.name;
  }

  /** Another one, which may serve in place of `name`; undefined: there is none. */
  instead(name: string): string | undefined {
    return take(this.#othersOf(this.#nodeOf(name)))?.name;
  }

  /** A turn of `name` is another's. */
  handOn(name: string): void {
    this.#nodeOf(name).handedOn += 1;
  }

  /** Turns of `name` that others took. */
  handedOn(name: string): number {
    return this.#nodes.get(name)?.handedOn ?? 0;
  }

  #othersOf(node: Node): Round {
    node.others ??= this.#roundOf(this.#turns.filter(({ name }) => name !== node.name));
    return node.others;
  }

  #roundOf(turns: readonly Turn[]): Round {
    const divisor = turns.reduce((sum, { weight }) => greatestDivisor(sum, weight), 0);
    const reduced = turns.map(({ name, weight }) => ({ name, weight: weight / divisor }));
    const total = reduced.reduce((sum, { weight }) => sum + weight, 0);
    let state: ChoiceState = emptyChoice;
    const nodes = Array.from({ length: total > TURNS_MAX ? 0 : total }, () => {
      const next = chooseWeighted(state, reduced);
      state = next.state;
      return this.#nodeOf(next.chosen?.name ?? '');
    });
    return { nodes, at: 0 };
  }

  #nodeOf(name: string): Node {
    let node = this.#nodes.get(name);
    if (node === undefined) {
      node = { name, share: 1, credit: 0, handedOn: 0, others: undefined };
      this.#nodes.set(name, node);
    }
    return node;
  }
}

function take(round: Round): Node | undefined {
  const node = round.nodes[round.at];
  round.at = round.at + 1 < round.nodes.length ? round.at + 1 : 0;
  return node;
}

/** Weights are whole numbers. */
function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
