/** The kinds of values that settings of matriarch.yaml have, each with what is said when a value is none of its kind. */
import { z } from 'zod';
import { DURATION_PATTERN, parseDuration } from '../base/index.ts';

const DURATION_EXPECTED = 'expected a duration such as 250ms, 5s, 1min or a number of seconds';

export const duration = (described: string, example?: string) =>
  z
    .union([z.string().regex(DURATION_PATTERN, DURATION_EXPECTED), z.number().min(0)], {
      error: DURATION_EXPECTED,
    })
    .meta({ description: described, ...(example === undefined ? {} : { examples: [example] }) })
    .transform((value, context) => {
      const ms = parseDuration(value);
      if (ms !== undefined) return ms;
      context.addIssue({ code: 'custom', message: DURATION_EXPECTED });
      return z.NEVER;
    });

const LAG_EXPECTED = 'expected a time such as 10s or bytes such as 16MB';
const LAG_PATTERN = /^(\d{1,12})(kB|MB|GB)$/;
const BYTES: Readonly<Record<string, number>> = { kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** How far behind: a time, or bytes of WAL. */
export const lag = (described: string) =>
  z
    .union([z.string(), z.number().min(0)], { error: LAG_EXPECTED })
    .describe(described)
    .transform((value, context): { readonly kind: 'ms' | 'bytes'; readonly value: number } => {
      const [, count, unit = ''] = LAG_PATTERN.exec(String(value)) ?? [];
      if (count !== undefined) return { kind: 'bytes', value: Number(count) * (BYTES[unit] ?? 1) };
      const ms = parseDuration(value);
      if (ms !== undefined) return { kind: 'ms', value: ms };
      context.addIssue({ code: 'custom', message: LAG_EXPECTED });
      return z.NEVER;
    });

const ADDRESS_EXPECTED = 'expected host:port, the port from 1 to 65535';

export const address = (described: string, example?: string) =>
  z
    .string()
    .meta({ description: described, ...(example === undefined ? {} : { examples: [example] }) })
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s[\]]+):\d{1,5}$/, ADDRESS_EXPECTED)
    .transform((value) => {
      const colon = value.lastIndexOf(':');
      return { host: value.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(value.slice(colon + 1)) };
    })
    .refine(({ port }) => port >= 1 && port <= 65_535, ADDRESS_EXPECTED);

export const text = (described: string, example: string) =>
  z
    .string()
    .min(1)
    .meta({ description: described, examples: [example] });

/** The same wherever the program is started, so that a service and a shell mean the same directory. */
export const directory = (described: string, example: string) =>
  text(described, example).startsWith('/', 'expected an absolute path, beginning with /');

export const credential = (username: string, described: string) =>
  z
    .strictObject({
      username: z.string().min(1).default(username).describe('Role name.'),
      password: text('Its password.', 'change-me'),
    })
    .describe(described);

export const scalar = z.union([z.string(), z.number(), z.boolean()], {
  error: 'expected a text, a number, true or false',
});
