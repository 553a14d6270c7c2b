/** What a function is to a template: the types it takes, and a call that answers or refuses. */
import type { Type, Value } from './values.ts';

/** `value` takes anything, boxes and no value included. */
export type Param = Type | 'value';

export interface GoFunction {
  readonly params: readonly Param[];
  /** Takes all arguments after the params. */
  readonly variadic?: Param;
  /** Of `and` (false) and `or` (true): the truth that ends the search; later arguments are not evaluated. */
  readonly shortCircuit?: boolean;
  /** Arguments are as many as wanted and of the types wanted. Throws `Refusal`. */
  readonly call: (args: readonly Value[]) => Value;
}

export type Functions = ReadonlyMap<string, GoFunction>;
