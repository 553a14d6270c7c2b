/**
 * Plays cases of routing-steps.ts through a router, and reads in the logs of the servers where each statement ran. A case
 * whose read has not run at a standby is played again, slower each time: until a standby has replayed what the session has
 * written, another node is right.
 */
import { readFile } from 'node:fs/promises';
import { pause } from '../../src/base/index.ts';
import { Bind, Close, Describe, Execute, Flush, Parse, Query, Sync } from '../../src/wire/index.ts';
import type { TestMember } from './postgres.ts';
import type { RoutingCase, RoutingStep } from './routing-steps.ts';
import { WireClient, type WireLogin } from './wire-client.ts';

export const MODES = ['simple', 'extended', 'prepared'] as const;
export type Mode = (typeof MODES)[number];

/** So long a standby may take to replay, and the router to hear of it: a case whose read comes too early is played again. */
const REPLAY_MS = [0, 1000, 3000, 9000];

interface Played {
  readonly at: string;
  readonly step: RoutingStep;
  readonly mark: number;
  readonly trouble: string | undefined;
}

export interface PlayOptions {
  readonly login: WireLogin;
  readonly mode: Mode;
  /** Nothing is to run there. */
  readonly without?: string;
  /** How often it was played too early. */
  readonly attempt?: number;
}

/** In which modes a case can be said. */
export function modesOf({ steps }: RoutingCase): readonly Mode[] {
  return steps.some(isOnlySimple) ? ['simple'] : MODES;
}

const isOnlySimple = ({ op, sql }: RoutingStep): boolean => op !== undefined || ONLY_SIMPLE.test(sql);

/**
 * Several statements; none (in the extended protocol PostgreSQL itself refuses that in a failed transaction); and PREPARE,
 * which is looked into where it is a query.
 */
const ONLY_SIMPLE = /; |^;$|^PREPARE /;

export class RoutingPlayer {
  readonly #nodes: Readonly<Record<string, TestMember>>;
  #marks = 0;

  constructor(nodes: Readonly<Record<string, TestMember>>) {
    this.#nodes = nodes;
  }

  /** Statements that were said so far. */
  get said(): number {
    return this.#marks;
  }

  /** What is wrong with the cases, line by line. */
  async play(
    cases: readonly RoutingCase[],
    primary: string,
    options: PlayOptions,
  ): Promise<readonly string[]> {
    const { attempt = 0 } = options;
    const played = new Map<RoutingCase, readonly Played[]>();
    // Single statements have a client in common, reads another than writes: their sessions have nothing to remember.
    const shared = new Map<string, WireClient>();
    for (const one of cases) {
      const [step, next] = one.steps;
      const isSingle = step !== undefined && next === undefined && !step.isError;
      const kept = isSingle ? JSON.stringify([step.where, one.as]) : undefined;
      const client = (kept === undefined ? undefined : shared.get(kept)) ?? (await connected(one, options));
      played.set(one, await this.#converse(one, client, options));
      if (kept === undefined) await client.end();
      else shared.set(kept, client);
    }
    for (const client of shared.values()) await client.end();
    const places = await this.#places();
    const wrong: string[] = [];
    const again: RoutingCase[] = [];
    for (const [one, steps] of played) {
      const found = steps.map((step) =>
        verdict(step, places.get(step.mark) ?? [], { primary, without: options.without }),
      );
      if (attempt + 1 < REPLAY_MS.length && found.some((each) => each?.isLate)) again.push(one);
      else wrong.push(...found.flatMap((each) => each?.text ?? []));
    }
    if (again.length > 0)
      wrong.push(...(await this.play(again, primary, { ...options, attempt: attempt + 1 })));
    return wrong;
  }

  async #converse(
    one: RoutingCase,
    client: WireClient,
    { mode, attempt = 0 }: PlayOptions,
  ): Promise<readonly Played[]> {
    const played: Played[] = [];
    for (const step of one.steps) {
      if (attempt > 0 && step.where === 'standby') await pause(REPLAY_MS[attempt] ?? 0);
      const mark = (this.#marks += 1);
      const at = `${one.name === one.steps[0]?.sql ? '' : `${one.name}: `}${mode}: ${step.sql}${step.name}`;
      played.push({ at, step, mark, trouble: await said(client, messages(mode, step, mark), step) });
    }
    return played;
  }

  /** The nodes at which each mark was seen. */
  async #places(): Promise<ReadonlyMap<number, readonly string[]>> {
    const places = new Map<number, string[]>();
    for (const [name, member] of Object.entries(this.#nodes)) {
      const log = await readFile(`${member.settings.data_dir}.log`, 'latin1');
      const marks = new Set<number>();
      for (const line of log.split('\n')) {
        // The details of an EXECUTE have the text of what it runs.
        if (line.includes('DETAIL:')) continue;
        for (const [, mark] of line.matchAll(MARK)) marks.add(Number(mark));
      }
      for (const mark of marks) places.set(mark, [...(places.get(mark) ?? []), name]);
    }
    return places;
  }
}

async function connected({ as }: RoutingCase, { login }: PlayOptions): Promise<WireClient> {
  const { user = login.user, database = login.database, application } = as;
  const parameters = application === undefined ? {} : { application_name: application };
  return await WireClient.connect({ ...login, user, database, parameters });
}

/** One row, and the end of it. */
const COPY_DATA = Buffer.from('d\0\0\0\x08row\n', 'latin1');
const COPY_DONE = Buffer.from('c\0\0\0\x04', 'latin1');

const MARK = /case (\d+)\./g;

interface Wrong {
  readonly text: string;
  /** It may be right when standbys have replayed. */
  readonly isLate: boolean;
}

function verdict(
  { at, step, trouble }: Played,
  nodes: readonly string[],
  { primary, without = '' }: { readonly primary: string; readonly without: string | undefined },
): Wrong | undefined {
  if (trouble !== undefined) return { text: `${at}: ${trouble}`, isLate: false };
  if (nodes.includes(without)) return { text: `${at}: ran on ${without}`, isLate: false };
  const isAtPrimary = nodes.includes(primary);
  // What a standby has refused, and the primary then ran, was at both.
  const isRight =
    step.where === 'primary' ? isAtPrimary && nodes.length === 1 : nodes.length > 0 && !isAtPrimary;
  if (step.where === 'any' || isRight) return undefined;
  return {
    text: `${at}: ran on ${nodes.join(' and ') || 'nothing'}, not on the ${step.where}`,
    isLate: step.where === 'standby' && isAtPrimary,
  };
}

async function said(
  client: WireClient,
  bytes: readonly Buffer[],
  step: RoutingStep,
): Promise<string | undefined> {
  const from = client.lines.length;
  client.send(bytes);
  if (!(await client.answered())) return 'no answer';
  if (client.isCopyIn) {
    client.send([COPY_DATA, Flush(), Sync(), COPY_DONE]);
    if (!(await client.answered())) return 'no answer';
  }
  const lines = client.lines.slice(from);
  const errors = lines.filter((line) => line.startsWith('ErrorResponse'));
  if (errors.length > 0 !== step.isError) return errors.join() || 'no error';
  const rows = lines.filter((line) => line.startsWith('DataRow')).length;
  return step.rows === undefined || step.rows === rows ? undefined : `${rows} rows`;
}

function messages(mode: Mode, { sql, op, name, parameter }: RoutingStep, mark: number): readonly Buffer[] {
  const marked = (text: string): string => `${text} /* case ${mark}. */`;
  // Its log line has the name of the portal.
  const portal = `case ${mark}.`;
  const run = (statement: string, as = ''): Buffer[] => [
    Bind({
      portal: as,
      statement,
      parameters: parameter === undefined ? [] : [Buffer.from(parameter)],
    }),
    Describe('portal', as),
    Execute(as, 0),
  ];
  const parse = (statement: string, text: string): Buffer =>
    Parse({ name: statement, sql: marked(text), parameterTypes: [] });
  switch (op) {
    case 'as':
      return [...closed(name), parse(name, sql), ...run(name), Sync()];
    case 'parse':
      return [...closed(name), parse(name, sql), Sync()];
    case 'run':
      return [...run(name, portal), Sync()];
    case 'portal':
      return [Describe('portal', name), Sync()];
    case 'pipe':
      return [...sql.split(';&').flatMap((text) => [parse('', text), ...run('')]), Sync()];
    case 'copy':
      return [Query(marked(sql))];
    case undefined:
      if (mode === 'simple') return [Query(marked(sql))];
      return [
        parse(mode === 'prepared' ? `s${mark}` : '', sql),
        ...run(mode === 'prepared' ? `s${mark}` : ''),
        Sync(),
      ];
  }
  return op;
}

const closed = (name: string): Buffer[] => (name === '' ? [] : [Close('statement', name)]);
