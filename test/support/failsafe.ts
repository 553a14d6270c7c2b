/** Addresses and keys of members for tests of failsafe. */
import type { AnAgent } from './an-agent.ts';

export const call = { timeoutMs: 1000 };

/** Of the REST API, as a member publishes it. */
export const apiUrl = (name: string): string => `http://${name}:8008/patroni`;

/** Somebody else writes that to the store. */
export async function put({ other }: AnAgent, key: string, value: string): Promise<number> {
  return (await other.transact({ when: [], then: [{ op: 'put', key, value }] }, call)).revision;
}
