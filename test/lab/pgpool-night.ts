/**
 * `npm run lab:pgpool [-- --rounds N] [--ha patroni]`: round after round with the original router, within the limits that are
 * the aim; with the original agent too, whose own timing is beyond them.
 */
import { parseArgs } from 'node:util';
import { placeForLab } from '../support/lab.ts';
import { one, playRound, sharesOf } from '../support/pgpool-rounds.ts';

const AIM = { writesMs: 10_000, readsMs: 30_000 };
/** A figure beyond the aim is told and counted; beyond this the round has failed. */
const LIMITS = { writesMs: 60_000, readsMs: 120_000 };

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, ha: { type: 'string', default: 'matriarch' } },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seconds = (ms: number): string => (ms / 1000).toFixed(1);
const lab = await placeForLab();
let late = 0;
try {
  await lab.verb('up', '--ha', values.ha, '--router', 'pgpool', '--base-octet', String(lab.baseOctet));
  say(`shares of 12: ${JSON.stringify(await sharesOf(lab))}`);
  await one(lab.layout.appHosts[0], 'CREATE TABLE written (at inet)');
  for (let round = 1; round <= Number(values.rounds); round += 1)
    await playRound(lab, LIMITS, ({ what, writesMs, readsMs }) => {
      const isLate = writesMs > AIM.writesMs || readsMs > AIM.readsMs;
      if (isLate) late += 1;
      say(
        `round ${round}, ${what}: writes ${seconds(writesMs)} s, reads ${seconds(readsMs)} s${isLate ? ' LATE' : ''}`,
      );
    });
} finally {
  await lab.end();
}
say(`${values.rounds} rounds; ${late} figures beyond ${AIM.writesMs / 1000} s and ${AIM.readsMs / 1000} s`);
process.exitCode = late === 0 ? 0 : 1;
