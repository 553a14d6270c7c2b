/**
 * `npm run lab:faults [-- --runs 10] [--only 'host killed,switchover'] [--random 200 --seed N] [--stop-seconds 60]`: faults of
 * each kind in a lab, and how long nobody could write, straight at the servers; then whether all is whole again without a
 * hand, nothing acknowledged is lost, and no two servers took writes at once. Fails by these, and tells what is beyond an aim.
 */
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type DbHost, labPaths } from '../../src/lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { type Fault, faults, whole } from '../support/lab-faults.ts';
import { placeForLab } from '../support/lab.ts';
import { Probers } from '../support/lab-probers.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    random: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    'stop-seconds': { type: 'string', default: '60' },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const all = faults(Number(values['stop-seconds']) * 1000);
const wanted = values.only.split(',').filter((name) => name !== '');
const unknown = wanted.filter((name) => !all.some((fault) => fault.name === name));
if (unknown.length > 0)
  throw new Error(`no fault ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`);
const chosen = all.filter(({ name }) => wanted.length === 0 || wanted.includes(name));

/** Each kind in turn, run after run; or at random, by a generator of its own, so that a seed plays the same again. */
function* inTurn(): Generator<Fault> {
  const random = Number(values.random);
  let state = Number(values.seed);
  for (let count = 0; count < random; count += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const fault = chosen[(state >>> 8) % chosen.length];
    if (fault !== undefined) yield fault;
  }
  if (random === 0) for (let run = 0; run < Number(values.runs); run += 1) yield* chosen;
}

const SETTLED_MS = 120_000;
/** Of each agent's log, when the cluster does not come round. */
const LINES_TOLD = 60;

/** Whole again, and writable: what agents say may still be of before the fault. */
async function settled(probers: Probers): Promise<DbHost> {
  const { leader } = await eventually(
    'the leader acknowledges writes',
    async () => {
      const host = await whole(lab);
      return { leader: host, isWriting: await probers.areAnswered(host) };
    },
    { holds: ({ isWriting }) => isWriting, withinMs: SETTLED_MS },
  );
  return leader;
}

async function endOfLog(host: string): Promise<string> {
  const text = await readFile(labPaths(lab.folder).log(host, 'agent'), 'utf8').catch(String);
  return `--- ${host}\n${text.split('\n').slice(-LINES_TOLD).join('\n')}`;
}

const figures = new Map<string, number[]>();
const wrong: string[] = [];
const lab = await placeForLab();
try {
  await lab.verb('up', '--base-octet', String(lab.baseOctet));
  const probers = await Probers.start(lab.layout, await whole(lab));
  let leader = await settled(probers);
  let count = 0;
  for (const fault of inTurn()) {
    count += 1;
    const from = performance.now();
    await fault.strike(lab, leader);
    await fault.heal(lab, leader);
    leader = await settled(probers);
    const { gapMs, changes, ids } = probers.take(from);
    const missing = await probers.missing(leader, ids);
    figures.set(fault.name, [...(figures.get(fault.name) ?? []), gapMs]);
    const problems = [
      ...(changes > 1 ? [`acknowledgements went to and fro ${changes} times`] : []),
      ...(missing.length > 0 ? [`${missing.length} acknowledged rows are gone`] : []),
    ];
    wrong.push(...problems.map((problem) => `${count}, ${fault.name}: ${problem}`));
    const late = gapMs > fault.aimMs ? `, over ${fault.aimMs} ms` : '';
    say(
      `${count} ${fault.name}: no writes for ${Math.round(gapMs)} ms${late}; ${ids.length} acknowledged, ${missing.length} lost; ${leader.name} leads${problems.length > 0 ? '; WRONG' : ''}`,
    );
  }
  await probers.stop();
} catch (cause) {
  // The lab is gone with its logs when this ends.
  for (const { name } of lab.layout.dbHosts) say(await endOfLog(name));
  throw cause;
} finally {
  await lab.end();
}
for (const [name, seen] of figures) {
  const sorted = seen.toSorted((one, other) => one - other).map(Math.round);
  const aim = chosen.find((fault) => fault.name === name)?.aimMs;
  say(
    `${name}: ${seen.length} runs, median ${sorted[sorted.length >> 1]} ms, longest ${sorted.at(-1)} ms, aim ${aim} ms`,
  );
}
for (const line of wrong) say(line);
say(`seed ${values.seed}: ${wrong.length} wrong`);
process.exitCode = wrong.length === 0 ? 0 : 1;
