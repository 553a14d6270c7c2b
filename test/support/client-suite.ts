/**
 * One client's scenarios, played against PostgreSQL and through a router, and compared line by line. A guest is the
 * client's program: in another language a process that prints `## scenario` and then what it saw, in JavaScript an
 * object of functions. The scenarios that it plays are those of its row in the table, no more and no less.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { inspect } from 'node:util';
import { CLIENTS, type Client, type ClientName } from '../clients/table.ts';
import { clientLab, emptyTables, type Place } from './client-lab.ts';
import { runProgram } from './program.ts';
import { ROOT } from './sources.ts';

type Sections = ReadonlyMap<string, readonly string[]>;
/** A test for each scenario: title and body, which the client's own file declares, so that they count for it. */
type Tests = readonly (readonly [string, (t: TestContext) => Promise<void>])[];
type Say = (...seen: readonly unknown[]) => void;

/** The scenarios of a client that runs in this process: each says what it sees. */
export type Guest<Name extends ClientName> = Readonly<
  Record<(typeof CLIENTS)[Name]['scenarios'][number], (place: Place, say: Say) => Promise<void>>
>;

/** The same for a client in JavaScript. */
export function playGuest<Name extends ClientName>(name: Name, guest: Guest<Name>): Tests {
  const scenarios: readonly [string, (place: Place, say: Say) => Promise<void>][] = Object.entries(guest);
  return testsOf(name, async (place) => {
    const sections = new Map<string, readonly string[]>();
    for (const [scenario, play] of scenarios) {
      const lines: string[] = [];
      sections.set(scenario, lines);
      const say: Say = (...seen) => lines.push(seen.map(shown).join(' '));
      await play(place, say).catch((cause: unknown) => say('unexpected:', cause));
    }
    return sections;
  });
}

function shown(seen: unknown): string {
  return typeof seen === 'string'
    ? seen
    : inspect(seen, { depth: 9, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: null });
}

export interface GuestProgram {
  readonly program: string;
  readonly args: readonly string[];
  /** A line for the shell that ends well where the client is installed; elsewhere the test is skipped, and says so. */
  readonly probe: string;
}

/** Plays a program that lies beside the tests; it is told by libpq's variables where to go. */
export function playProgram(name: ClientName, { program, args, probe }: GuestProgram): Tests {
  return testsOf(
    name,
    async (place) => {
      const { host, port, user, password, database, offersTls } = place;
      const env = {
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: user,
        PGPASSWORD: password,
        PGDATABASE: database,
        CLIENT_SSLMODE: offersTls ? 'require' : 'disable',
        PYTHONDONTWRITEBYTECODE: '1',
        PYTHONIOENCODING: 'utf-8',
        LANG: 'C.UTF-8',
      };
      const run = await runProgram(program, args, {
        env,
        timeoutMs: 60_000,
        cwd: join(ROOT, 'test', 'clients'),
      });
      assert.equal(run.code, 0, `${name} at ${host}: ${run.stderr}\n${run.stdout.slice(-2000)}`);
      return sectionsOf(run.stdout);
    },
    async () => (await runProgram('sh', ['-c', probe], { timeoutMs: 30_000 })).code === 0,
  );
}

function sectionsOf(text: string): Sections {
  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('## ')) sections.set(line.slice(3), (lines = []));
    else lines.push(line);
  }
  return sections;
}

/** The client is played at both places before its first test, and each test looks at one scenario. */
function testsOf(
  name: ClientName,
  play: (place: Place) => Promise<Sections>,
  isInstalled: () => Promise<boolean> = async () => true,
): Tests {
  const { scenarios, from }: Client = CLIENTS[name];
  let played: Promise<Played | undefined> | undefined;
  const playBoth = async (): Promise<Played | undefined> => {
    if (!(await isInstalled())) return undefined;
    const { direct, routers } = clientLab();
    // Each router has its turn: beside the primary, and where reads and writes of one client go to different servers.
    const router = routers[Object.keys(CLIENTS).indexOf(name) % routers.length] ?? routers[0];
    await emptyTables();
    const expected = await play(direct);
    await emptyTables();
    const got = await play(router);
    assert.deepEqual(
      [...expected.keys()].sort(),
      [...scenarios].sort(),
      'the guest plays what the table says',
    );
    return { expected, got, router };
  };
  return scenarios.map((scenario) => [
    `${name}: ${scenario} is the same through a router as at PostgreSQL`,
    async (t) => {
      played ??= playBoth();
      const both = await played;
      if (both === undefined) t.skip(`not installed: ${from}`);
      else if (scenario === 'tls' && !both.router.offersTls) t.skip('the router offers no TLS');
      else same(both.expected.get(scenario) ?? [], both.got.get(scenario) ?? [], t);
    },
  ]);
}

interface Played {
  readonly expected: Sections;
  readonly got: Sections;
  readonly router: Place;
}

function same(expected: readonly string[], got: readonly string[], t: TestContext): void {
  assert.ok(
    expected.some((line) => line !== ''),
    'the scenario saw nothing',
  );
  assert.ok(
    !expected.some((line) => line.startsWith('unexpected:')),
    `without a router: ${expected.join('\n').slice(0, 4000)}`,
  );
  t.diagnostic(`${expected.length} lines`);
  // The first difference is what one wants to read; a list of hundreds hides it.
  const at = expected.findIndex((line, index) => line !== got[index]);
  assert.equal(got[at]?.slice(0, 2000), expected[at]?.slice(0, 2000), `line ${at + 1} of ${expected.length}`);
  assert.deepEqual(got, expected);
}
