/** Settings of the agent's REST API and of those who ask it: Patroni's names and meanings. */
import { z } from 'zod';
import { address, text } from './schema-types.ts';

const pemFile = (described: string, example: string) =>
  z
    .string()
    .min(1)
    .meta({ description: described, examples: [example] })
    .optional();

const authentication = (described: string) =>
  z
    .strictObject({
      username: text('User name.', 'operator'),
      password: text('Password.', 'change-me'),
    })
    .optional()
    .meta({ description: described, examples: [{ username: 'operator', password: 'change-me' }] });

export const restapiSchema = z.strictObject({
  listen: address('Where the agent serves its REST API and /metrics.', '10.1.0.2:8008'),
  connect_address: address(
    'Where others reach it, published with the member; as listen when left out.',
    '10.1.0.2:8008',
  ).optional(),
  authentication: authentication('Asked for (HTTP basic) by every request that changes something.'),
  certfile: pemFile('Certificate, PEM: the REST API is then served over TLS.', '/etc/matriarch/rest.crt'),
  keyfile: pemFile('Its private key, where it is not in certfile.', '/etc/matriarch/rest.key'),
  keyfile_password: z
    .string()
    .optional()
    .meta({ description: 'Password of the private key.', examples: ['change-me'] }),
  cafile: pemFile(
    'Who must have signed clients’ certificates, and those of other members; PEM.',
    '/etc/matriarch/ca.crt',
  ),
  verify_client: z
    .enum(['none', 'optional', 'required'])
    .default('none')
    .describe(
      'Certificates of clients: required by every request, by those that change something (optional), or by none. Needs cafile.',
    ),
  allowlist: z
    .array(z.string().min(1))
    .default([])
    .meta({
      description: 'Addresses, networks and host names that may change something; empty: all.',
      examples: [['10.0.0.0/8', '192.0.2.7']],
    }),
  allowlist_include_members: z
    .boolean()
    .default(false)
    .describe('The members of the cluster belong to the allowlist.'),
});

export const ctlSchema = z.strictObject({
  authentication: authentication('Sent to members’ REST APIs; as restapi.authentication when left out.'),
  cacert: pemFile(
    'Who must have signed members’ certificates; as restapi.cafile when left out.',
    '/etc/matriarch/ca.crt',
  ),
  certfile: pemFile('Own certificate; as restapi.certfile when left out.', '/etc/matriarch/ctl.crt'),
  keyfile: pemFile('Its private key.', '/etc/matriarch/ctl.key'),
  keyfile_password: z
    .string()
    .optional()
    .meta({ description: 'Password of that key.', examples: ['change-me'] }),
  insecure: z.boolean().default(false).describe('Do not check members’ certificates.'),
});
