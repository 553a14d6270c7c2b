/** Settings of a database host that stand in groups of their own: how etcd is talked to, and how a new cluster is made. */
import { z } from 'zod';
import { text } from './schema-types.ts';

const file = (described: string, example: string) =>
  z
    .string()
    .startsWith('/', 'expected an absolute path, beginning with /')
    .optional()
    .meta({ description: described, examples: [example] });

/** The login to etcd, and TLS where its endpoints are https. Patroni's names. */
export const etcdAccessKeys = {
  username: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'User of etcd, where it wants a login.', examples: ['matriarch'] }),
  password: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Its password.', examples: ['change-me'] }),
  cacert: file(
    'Certificates of the authorities that etcd’s own is proved by; left out, those of Node.js.',
    '/etc/matriarch/etcd-ca.crt',
  ),
  cert: file('Certificate by which this host proves itself to etcd.', '/etc/matriarch/etcd-client.crt'),
  key: file('Its key; left out, it is in the file of the certificate.', '/etc/matriarch/etcd-client.key'),
};

/** What a program is given beside the agent's own options: `name` or `name=value`, without dashes. */
const options = (described: string, example: readonly string[]) =>
  z
    .array(z.string().regex(/^[a-z][a-z-]*(=.*)?$/, 'expected name or name=value, without dashes'))
    .optional()
    .meta({ description: described, examples: [example] });

export const initdbKey = options(
  'Options of initdb in place of data-checksums, encoding=UTF8 and the locale C.UTF-8. The agent’s own come on top: where, whose, and by which passwords.',
  ['data-checksums', 'encoding=UTF8', 'locale=de_DE.UTF-8'],
);

export const madeByKey = z
  .enum(['initdb', 'others'])
  .optional()
  .meta({
    description:
      'How a new cluster comes about: initdb (if left out), or others make it and this host joins.',
    examples: ['others'],
  });

const ROLE_OPTION = /^(NO)?(SUPERUSER|CREATEDB|CREATEROLE|INHERIT|LOGIN|REPLICATION|BYPASSRLS)$/i;

export const userSchema = z.strictObject({
  username: text('Role name.', 'app'),
  password: text('Its password.', 'change-me'),
  database: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Database to create, owned by the role.', examples: ['app'] }),
  options: z
    .array(
      z.string().regex(ROLE_OPTION, 'expected an attribute of CREATE ROLE without a value, such as createdb'),
    )
    .optional()
    .meta({ description: 'Attributes of the role beside LOGIN.', examples: [['createdb', 'createrole']] }),
});
