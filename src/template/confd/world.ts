/**
 * What templates may know of the machine, as answers. A renderer stays pure: it asks `World`, which answers what it
 * knows at once. Names of hosts are looked up by asking others, which takes time: an unknown answer is `undefined`, the
 * question is noted, and the template is rendered again when the shell has the answers.
 */
import type { Instant } from '../go/time.ts';

/** What must be looked up outside, in a form that can be a key of a map. */
export type Question =
  | { readonly kind: 'ip'; readonly host: string }
  | { readonly kind: 'srv'; readonly service: string; readonly protocol: string; readonly domain: string };

export interface ServiceRecord {
  readonly target: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Texts, not bytes. */
export interface World {
  /** Of the environment; "" when it is not set. */
  readonly environment: (name: string) => string;
  readonly now: () => Instant;
  readonly hostname: () => string;
  readonly fileExists: (path: string) => boolean;
  /** Addresses of an interface; empty when there is none of that name. */
  readonly interfaceAddresses: (name: string) => readonly string[];
  /** The text of another template in the same folder, as bytes; undefined when there is none. */
  readonly template: (name: string) => string | undefined;
  /** Undefined: not known yet. Empty: there is none. */
  readonly addresses: (question: Extract<Question, { kind: 'ip' }>) => readonly string[] | undefined;
  readonly services: (question: Extract<Question, { kind: 'srv' }>) => readonly ServiceRecord[] | undefined;
}
