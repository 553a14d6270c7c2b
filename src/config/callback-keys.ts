/** Settings of the agent's callbacks: an operator's commands that follow PostgreSQL. Patroni's names. */
import { z } from 'zod';

const command = (when: string) =>
  z
    .string()
    .min(1)
    .optional()
    .meta({ description: `Run ${when}.`, examples: ['/usr/local/bin/move-address'] });

export const callbacksSchema = z.strictObject({
  on_start: command('when PostgreSQL was started'),
  on_stop: command('when PostgreSQL was stopped'),
  on_restart: command('when PostgreSQL was restarted in its place'),
  on_reload: command('when PostgreSQL has read its configuration again'),
  on_role_change: command('when PostgreSQL became a primary, or is none any more'),
  primary_role: z
    .enum(['primary', 'master'])
    .default('primary')
    .describe('The word for a primary among the arguments; Patroni before 4 says master.'),
});
