/** Lines `# slot 0 NAME HOST PORT …` of a file of servers: which number each has, and what else its template says of it. */

export interface SlotLine {
  readonly slot: number;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** What the template says beyond. */
  readonly words: readonly string[];
}

/** Numbers have gaps where lines were removed by hand. */
export function slotLines(text: string): SlotLine[] {
  const lines = text.matchAll(/^# slot (\d{1,4}) (\S+) (\S+) (\d{1,5})(?: (.*))?$/gm);
  return [...lines].map(([, slot, name = '', host = '', port, words = '']) => ({
    slot: Number(slot),
    name,
    host,
    port: Number(port),
    words: words.split(' ').filter((word) => word !== ''),
  }));
}
