/** What a template can fail with: a complaint of a function, and the error that names the place in the template. */

/** A refusal by a function, in Go's words; the executor adds where it was called. */
export class Refusal extends Error {
  /** The key of the store that it is about. */
  readonly key: string | undefined;
  constructor(message: string, key?: string) {
    super(message);
    this.key = key;
  }
}

/** Where and why a template cannot be parsed or executed. `message` is what Go says, byte for byte, as text. */
export class TemplateError extends Error {
  readonly template: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in bytes. */
  readonly column: number;
  /** The key of the store that was asked for, where that is the matter. */
  readonly key: string | undefined;
  constructor(
    message: string,
    place: { template: string; line: number; column: number; key?: string | undefined },
  ) {
    super(message);
    this.template = place.template;
    this.line = place.line;
    this.column = place.column;
    this.key = place.key;
  }
}

/** Line (from 1) and column (from 0, in bytes) of an offset. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - (before.lastIndexOf('\n') + 1) };
}
