/** The simulation sees what it is there to see: each bug that is planted in the program is found within so many seeds. */
import { ok } from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import { campaign } from './campaign.ts';
import { PLANTED_BUGS, plant } from './planted-bugs.ts';

const SEEDS_MAX = 6000;

describe('planted bugs', { concurrency: availableParallelism() }, () => {
  for (const bug of PLANTED_BUGS) {
    it(`found: ${bug.name}`, async (t) => {
      const { worker, remove } = plant(bug);
      t.after(remove);
      let found = '';
      const { seeds } = await campaign({
        from: bug.from ?? 1,
        count: SEEDS_MAX,
        workers: 1,
        failuresMax: 1,
        worker,
        onFailure: ({ seed, problems }) => {
          found ||= `seed ${seed}: ${problems[0] ?? ''}`;
        },
      });
      t.diagnostic(found);
      ok(found !== '', `not found in ${seeds} runs`);
    });
  }
});
