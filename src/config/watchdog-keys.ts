/** The section `watchdog`: Linux's watchdog device behind the fence (ha/watchdog.ts). Patroni's names. */
import { z } from 'zod';
import { duration } from './schema-types.ts';

export const watchdogSchema = z.strictObject({
  mode: z
    .enum(['off', 'automatic', 'required'])
    .default('automatic')
    .describe(
      'off: none is used. automatic: the device is used where there is one. required: without one that resets the machine before the lease ends, this host does not become the leader.',
    ),
  device: z
    .string()
    .startsWith('/', 'expected an absolute path, beginning with /')
    .default('/dev/watchdog')
    .describe('The device, which the agent’s user must be able to write.'),
  safety_margin: duration(
    'The machine is reset at least this long before the lease can end; left out, a quarter of lease.fence_margin.',
    '250ms',
  ).optional(),
});

export type WatchdogConfig = z.output<typeof watchdogSchema>;

/** How long before the end of the lease the machine is reset at the latest. */
export function safetyMarginMs({ safety_margin }: WatchdogConfig, fenceMarginMs: number): number {
  return safety_margin ?? fenceMarginMs / 4;
}
