/** Newline-delimited text out of chunks. Holds at most one unfinished line, of a bounded length. */

const LINE_BYTES_MAX = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

export class LineReader {
  readonly #onLine: (line: string) => void;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Empty lines are skipped. A line over the limit throws. */
  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      this.#hold(chunk.subarray(from, end < 0 ? chunk.length : end));
      if (end < 0) return;
      const line = Buffer.concat(this.#parts, this.#bytes).toString('utf8');
      this.#parts = [];
      this.#bytes = 0;
      if (line !== '') this.#onLine(line);
      from = end + 1;
    }
  }

  #hold(part: Buffer): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#bytes += part.length;
    if (this.#bytes > LINE_BYTES_MAX) throw new RangeError(`line longer than ${LINE_BYTES_MAX} bytes`);
  }
}
