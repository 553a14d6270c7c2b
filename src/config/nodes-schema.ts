/** Settings of a router that stands alone: the list of servers in place of etcd, how they are asked, and TCP's keep-alive. */
import { z } from 'zod';
import { address, duration, scalar } from './schema-types.ts';

/** A server of a cluster that is not in etcd. */
export const nodeSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[^/\s]+$/, 'expected a name without slash or blank')
    .meta({ description: 'Its name in logs, metrics and hints.', examples: ['db1'] }),
  address: address('Where its PostgreSQL listens.', '10.1.0.2:5432'),
  datacenter: z.string().min(1).optional().describe('Its datacenter; that of this host when left out.'),
  weight: z
    .int()
    .min(0)
    .max(1000)
    .optional()
    .describe(
      'Its share of reads, in place of router.weights; 0 takes no reads. router.weights.members has the last word, and is taken over by a reload.',
    ),
  tags: z
    .record(z.string(), scalar)
    .default({})
    .meta({ description: 'As those of a member: noloadbalance …', examples: [{ noloadbalance: true }] }),
});

/** Shares of members by name, whichever way the router knows of them. */
export const memberWeights = z
  .record(z.string().min(1), z.int().min(0).max(1000))
  .default({})
  .meta({
    description: 'Weights of single members, in place of local and remote; 0 takes no reads.',
    examples: [{ db3: 2 }],
  });

/** Both for clients and for servers. PgBouncer's names. */
export const keepAliveKeys = {
  tcp_keepalive: z
    .boolean()
    .default(true)
    .describe('Whether TCP asks idle peers for a sign of life, so that a vanished one is noticed.'),
  tcp_keepidle: duration(
    'How long a connection is idle before the first such question; 0: as the system has it.',
  ).prefault('0s'),
};

/** How the servers of `nodes` are watched. */
export const nodeCheckKeys = {
  node_check_period: duration(
    'How often each of `nodes` is asked whether it is the primary; four times a second at least while none is.',
  ).prefault('1s'),
  node_check_timeout: duration(
    'How long one of `nodes` may take to answer; a node without an answer for lease.ttl counts as gone.',
  ).prefault('2s'),
};
