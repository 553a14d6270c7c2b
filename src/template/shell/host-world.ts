/** The world of templates on this host. Names are looked up when a template has asked for them; files are read at once. */
import { lookup, Resolver } from 'node:dns/promises';
import { existsSync, readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../base/index.ts';
import type { Question, ServiceRecord, World } from '../confd/world.ts';
import { hostZone } from './host-zone.ts';

export interface HostWorldOptions {
  readonly templatesFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

/** One rendering's world: what was answered once stays so until the file is rendered anew. */
export interface HostWorld {
  readonly world: World;
  /** Looks up what was asked; a name that is not known has no addresses, as in confd. Never rejects. */
  readonly answer: (questions: readonly Question[]) => Promise<void>;
}

const LOOKUP_TIMEOUT_MS = 5_000;

export function hostWorld({ templatesFolder, environment, clock }: HostWorldOptions): HostWorld {
  const addresses = new Map<string, readonly string[]>();
  const services = new Map<string, readonly ServiceRecord[]>();
  const now = { epochMs: clock.wallNow(), nanos: 0, zone: hostZone(environment['TZ']) };
  return {
    world: {
      environment: (name) => environment[name] ?? '',
      now: () => now,
      hostname,
      fileExists: existsSync,
      interfaceAddresses: (name) => (networkInterfaces()[name] ?? []).map(({ address }) => address),
      template: (name) => {
        const path = join(templatesFolder, name);
        return existsSync(path) ? readFileSync(path, 'latin1') : undefined;
      },
      addresses: ({ host }) => addresses.get(host),
      services: (question) => services.get(serviceName(question)),
    },
    answer: async (questions) => {
      await Promise.all(
        questions.map(async (question) => {
          if (question.kind === 'ip') addresses.set(question.host, await addressesOf(question.host));
          else services.set(serviceName(question), await servicesOf(serviceName(question)));
        }),
      );
    },
  };
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}

async function servicesOf(name: string): Promise<ServiceRecord[]> {
  try {
    const records = await new Resolver({ timeout: LOOKUP_TIMEOUT_MS, tries: 1 }).resolveSrv(name);
    return records.map(({ name: target, port, priority, weight }) => ({
      target: `${target}.`,
      port,
      priority,
      weight,
    }));
  } catch {
    return [];
  }
}

function serviceName({ service, protocol, domain }: Extract<Question, { kind: 'srv' }>): string {
  return service === '' && protocol === '' ? domain : `_${service}._${protocol}.${domain}`;
}
