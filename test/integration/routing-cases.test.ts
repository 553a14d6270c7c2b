/** Where statements run, as the servers' own logs tell it: our table of cases, in both protocols and prepared. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Bind, Describe, Execute, Parse, Query, Sync } from '../../src/wire/index.ts';
import { type TestMember, sql, until } from '../support/postgres.ts';
import { aRouter, aStage, NODES } from '../support/router.ts';
import { ROUTING_CASES, type RoutingStep, SETUP, SETUP_OF_SUPERUSER } from '../support/routing-cases.ts';
import { WireClient } from '../support/wire-client.ts';

const MODES = ['simple', 'extended', 'prepared'] as const;
type Mode = (typeof MODES)[number];
const AS_APP = { user: 'app', password: 'app', database: 'app' };

function messages(mode: Mode, text: string, name: string): Buffer[] {
  if (mode === 'simple') return [Query(text)];
  const statement = mode === 'prepared' ? name : '';
  const use = [Bind({ portal: '', statement }), Describe('portal', ''), Execute('', 0), Sync()];
  return [Parse({ name: statement, sql: text, parameterTypes: [] }), ...use];
}

/** The nodes whose log has the marked statement. */
async function ranOn(nodes: Readonly<Record<string, TestMember>>, mark: string): Promise<readonly string[]> {
  const seen: string[] = [];
  for (const name of NODES) {
    const log = await readFile(`${nodes[name]?.settings.data_dir ?? ''}.log`, 'latin1');
    if (log.includes(mark)) seen.push(name);
  }
  return seen;
}

test('statements run where they should', { timeout: 300_000 }, async (suite) => {
  const stage = await aStage(suite);
  // It reaches the standbys too.
  await sql(stage.nodes.n1, "ALTER DATABASE app SET log_statement = 'all'");
  const asSuperuser = { ...stage.nodes.n1.settings.authentication.superuser, database: 'app' };
  for (const text of SETUP_OF_SUPERUSER)
    await sql(stage.nodes.n1, text, { ...asSuperuser, user: asSuperuser.username });
  for (const text of SETUP) await sql(stage.nodes.n1, text, AS_APP);
  for (const node of ['n2', 'n3'] as const) {
    await until(`${node} has the tables`, async () => {
      await sql(stage.nodes[node], 'SELECT stepping_well(id) FROM t', AS_APP);
      return true;
    });
  }
  const router = await aRouter(suite, stage, ['weights: { local: 0, remote: 1 }']);
  const login = { host: router.host, port: router.port, ...AS_APP };
  let played = 0;
  const wrong: string[] = [];

  const step = async (client: WireClient, mode: Mode, { sql: text, where, isError }: RoutingStep) => {
    played += 1;
    const mark = `/* case ${played}. */`;
    const from = client.lines.length;
    client.send(messages(mode, `${text} ${mark}`, `s${played}`));
    assert.ok(await client.answered(), `no answer to ${text}`);
    const errors = client.lines.slice(from).filter((line) => line.startsWith('ErrorResponse'));
    const at = `${mode}: ${text}`;
    if (errors.length > 0 !== isError) wrong.push(`${at}: ${errors.join() || 'no error'}`);
    if (where === 'any' || isError) return;
    const nodes = await ranOn(stage.nodes, mark);
    const isRight = where === 'primary' ? nodes.includes('n1') : nodes.length > 0 && !nodes.includes('n1');
    if (!isRight) wrong.push(`${at}: ran on ${nodes.join(' and ') || 'nothing'}, not on the ${where}`);
  };

  for (const mode of MODES) {
    await suite.test(`in the ${mode} protocol`, async () => {
      wrong.length = 0;
      for (const steps of ROUTING_CASES) {
        const isSeveral = steps.some(({ sql: text }) => text.includes('; '));
        if (isSeveral && mode !== 'simple') continue;
        const client = await WireClient.connect(login);
        for (const one of steps) await step(client, mode, one);
        await client.end();
      }
      assert.deepEqual(wrong, []);
    });
  }
  assert.ok(played > ROUTING_CASES.length * 2, 'every case was played');
});
