/** Plain tables for terminals and pipes: a frame of ASCII, so that they survive e-mail and old consoles. */

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** A framed table; `heading` stands in the upper frame. Every row has one cell a column. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  heading?: string,
): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(width(title), ...rows.map((row) => width(row[index] ?? ''))),
  );
  const frame = `+${widths.map((size) => '-'.repeat(size + 2)).join('+')}+`;
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, index) => padded(cell, widths[index] ?? 0, columns[index]?.align)).join(' | ')} |`;
  const titles = line(columns.map(({ title }) => title));
  return [
    headed(frame, heading),
    titles,
    frame,
    ...rows.map(line),
    ...(rows.length === 0 ? [] : [frame]),
    '',
  ].join('\n');
}

/** The heading lies on the frame, which goes on behind it; a longer one closes itself. */
function headed(frame: string, heading: string | undefined): string {
  if (heading === undefined) return frame;
  const text = `+ ${heading} `;
  return text.length < frame.length ? text + frame.slice(text.length) : `${text}+`;
}

function padded(cell: string, size: number, align: Column['align']): string {
  const gap = ' '.repeat(Math.max(0, size - width(cell)));
  return align === 'right' ? gap + cell : cell + gap;
}

function width(text: string): number {
  return Array.from(text).length;
}
