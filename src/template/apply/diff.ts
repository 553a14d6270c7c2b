/**
 * What would change in a file, in the unified form of `diff -u`. The shortest edit is found between the first and the last
 * line that differ; where that would cost too much, all of it is shown as replaced.
 */

/** Lines of context around a change. */
const CONTEXT = 3;
/** So many pairs of lines are compared at most: 32 MB for a moment. */
const PAIRS_MAX = 8_000_000;

/** One line of the edit: kept, removed, added. */
interface Edit {
  readonly mark: ' ' | '-' | '+';
  readonly line: string;
}

/** The empty text when nothing changes. */
export function unifiedDiff(before: string, after: string, path: string): string {
  const edits = editsBetween(linesOf(before), linesOf(after));
  const hunks = hunksOf(edits);
  return hunks.length === 0 ? '' : `--- ${path}\n+++ ${path}\n${hunks.join('')}`;
}

/** Lines with their ends, of which the last may have none. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function editsBetween(before: readonly string[], after: readonly string[]): Edit[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  const room = Math.min(before.length, after.length) - start;
  while (end < room && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  return [
    ...kept(before.slice(0, start)),
    ...shortestEdits(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...kept(before.slice(before.length - end)),
  ];
}

const kept = (lines: readonly string[]): Edit[] => lines.map((line) => ({ mark: ' ', line }));

/** By the table of the longest common subsequences of all their ends. */
function shortestEdits(before: readonly string[], after: readonly string[]): Edit[] {
  const width = after.length + 1;
  const isTooMuch = before.length * after.length > PAIRS_MAX;
  const lengths = new Uint32Array(isTooMuch ? 0 : (before.length + 1) * width);
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0;
  if (!isTooMuch)
    for (let row = before.length - 1; row >= 0; row -= 1)
      for (let column = after.length - 1; column >= 0; column -= 1)
        lengths[row * width + column] =
          before[row] === after[column]
            ? at(row + 1, column + 1) + 1
            : Math.max(at(row + 1, column), at(row, column + 1));
  const edits: Edit[] = [];
  let row = 0;
  let column = 0;
  while (row < before.length || column < after.length) {
    const old = before[row];
    const next = after[column];
    if (old !== undefined && old === next && !isTooMuch) {
      edits.push({ mark: ' ', line: old });
      row += 1;
      column += 1;
    } else if (old !== undefined && (next === undefined || at(row + 1, column) >= at(row, column + 1))) {
      edits.push({ mark: '-', line: old });
      row += 1;
    } else if (next !== undefined) {
      edits.push({ mark: '+', line: next });
      column += 1;
    }
  }
  return edits;
}

/** Changes with their context; those whose contexts meet are one. */
function hunksOf(edits: readonly Edit[]): string[] {
  const changed = edits.flatMap(({ mark }, index) => (mark === ' ' ? [] : [index]));
  const spans: { from: number; to: number }[] = [];
  for (const index of changed) {
    const last = spans.at(-1);
    const from = Math.max(index - CONTEXT, 0);
    if (last !== undefined && from <= last.to) last.to = index + 1 + CONTEXT;
    else spans.push({ from, to: index + 1 + CONTEXT });
  }
  return spans.map(({ from, to }) => hunk(edits.slice(from, to), edits.slice(0, from)));
}

function hunk(edits: readonly Edit[], above: readonly Edit[]): string {
  const count = (of: readonly Edit[], without: Edit['mark']): number =>
    of.filter(({ mark }) => mark !== without).length;
  const range = (without: Edit['mark']): string => {
    const lines = count(edits, without);
    // An empty range is named by the line before it.
    const first = count(above, without) + (lines === 0 ? 0 : 1);
    return lines === 1 ? String(first) : `${first},${lines}`;
  };
  const body = edits.map(({ mark, line }) =>
    line.endsWith('\n') ? `${mark}${line}` : `${mark}${line}\n\\ No newline at end of file\n`,
  );
  return `@@ -${range('+')} +${range('-')} @@\n${body.join('')}`;
}
