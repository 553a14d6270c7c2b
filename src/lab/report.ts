/** Figures as the demo prints them. Pure. */

/** `83.3 %` of a part in a whole; `-` when the whole is nothing. */
export function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;
}

/** Milliseconds as seconds with two decimals. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

/** A table or other lines, moved in by three blanks to stand under the demo's headings. */
export function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '   ');
}
