/** Settings of the router about where statements run: rules, and what else decides beside the statement itself. */
import { z } from 'zod';
import { duration, lag } from './schema-types.ts';

const names = (described: string, example: string) =>
  z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .meta({ description: `${described} A \`*\` stands for anything.`, examples: [[example]] });

const level = z.enum(['eventual', 'session', 'shared', 'strong']);
const staleness = z
  .string()
  .regex(/^\d{1,12}(ms|s|min|h|B|kB|MB|GB)?$/, 'expected a time such as 500ms or bytes such as 16MB');

/** One rule; what is left out fits all. */
const ruleSchema = z
  .strictObject({
    user: names('Roles.', 'report_*'),
    database: names('Databases, by the name that clients use.', 'archive'),
    application_name: names('Names that applications give themselves.', 'psql'),
    digest: z
      .string()
      .min(1)
      .optional()
      .describe(
        'The statement’s digest: its text with one blank for each run of blanks and ? for each literal. Comments and a semicolon at the end are part of it.',
      ),
    digest_prefix: z.string().min(1).optional().describe('The beginning of the statement’s digest.'),
    route: z
      .string()
      .regex(
        /^(primary|replica|local|any|node=[^\s,;]+)$/,
        'expected primary, replica, local, any or node=NAME',
      )
      .optional()
      .describe('Where its reads go: primary, replica, local, any or node=NAME.'),
    consistency: level.optional().describe('How fresh its reads are, as router.consistency.'),
    max_staleness: staleness.optional().describe('The most that its reads may be behind.'),
  })
  .refine(
    ({ route, consistency, max_staleness }) => (route ?? consistency ?? max_staleness) !== undefined,
    'expected route, consistency or max_staleness',
  );

const POSITION_POLL_MIN_MS = 10;

export const routingKeys = {
  max_lag: lag(
    'How far behind the primary a standby may be that serves reads, as a time or in bytes of WAL. It serves again once it is within half of that.',
  ).prefault('10s'),
  position_poll: duration(
    'How often each node is asked where it is in the WAL and whether it replays, once there are standbys.',
  )
    .refine((ms) => ms >= POSITION_POLL_MIN_MS, 'expected at least 10ms')
    .prefault('250ms'),
  consistency: level
    .default('session')
    .describe(
      'How fresh reads are that do not say it: session (what the session has written and read), shared (and what all sessions of the role and database have written through this router), strong (at the primary) or eventual (as any server has it).',
    ),
  max_staleness: staleness.optional().meta({
    description: 'The most that reads may be behind the primary that do not say it: a time or bytes.',
    examples: ['10s'],
  }),
  read_wait: duration(
    'How long a read waits for the server of its choice to have what it must see; then another serves it, the primary at last.',
  ).prefault('100ms'),
  rules: z
    .array(ruleSchema)
    .max(1000)
    .default([])
    .meta({
      description:
        'Where statements go that do not say so themselves, by role, database, application and digest. The first that fits holds. A write goes to the primary whatever a rule says.',
      examples: [[{ user: ['report_*'], route: 'replica' }]],
    }),
  catalog_poll: duration(
    'How often the catalogue of each database is asked whether functions, views, tables and the like have changed; beside that it is read anew whenever a client of a router changes them. For new sessions, 0: it is not read, relations are taken for plain tables and functions that are not PostgreSQL’s own for writes.',
  ).prefault('5s'),
  first_statement_decides: z
    .boolean()
    .default(false)
    .describe(
      'Whether a transaction that does not say what it is, and begins with a read, is made READ ONLY and runs on a balanced node. A write in it is refused with 25006.',
    ),
};
