/** Asking the REST APIs of members on an operator's behalf: which members, with which certificates and user, and what came of it. */
import { describe, EXIT, MatriarchError, rethrowBug } from '../base/index.ts';
import type { ClusterView, Member } from '../topology/index.ts';
import type { Cluster } from './cluster.ts';
import type { ConfigFileOptions } from './config-file.ts';
import type { Shell } from './shell.ts';

export interface MemberAnswer {
  readonly name: string;
  readonly isOk: boolean;
  readonly text: string;
}

export interface Question {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  readonly timeoutMs: number;
}

export interface Members extends Cluster {
  readonly view: ClusterView;
  /** Never rejects for what a member or the network does. */
  readonly ask: (member: Member, question: Question) => Promise<MemberAnswer>;
}

export type OperatorOptions = ConfigFileOptions & { readonly debug?: boolean };

/** Runs `work` with the cluster as it is now, and a client that is closed afterwards. */
export async function withMembers<T>(
  shell: Shell,
  options: OperatorOptions,
  work: (members: Members) => Promise<T>,
): Promise<T> {
  const { readView, withCluster } = await import('./cluster.ts');
  const { RestClient, restIdentity } = await import('../agent/index.ts');
  return await withCluster(shell, options, async (cluster) => {
    const client = new RestClient(await restIdentity(cluster.config));
    const ask = async (member: Member, question: Question): Promise<MemberAnswer> => {
      try {
        const { status, text } = await client.ask(member.apiUrl, question);
        return { name: member.name, isOk: status < 300, text: text || `HTTP status ${status}` };
      } catch (cause) {
        rethrowBug(cause);
        return {
          name: member.name,
          isOk: false,
          text: `no answer from ${member.apiUrl}: ${describe(cause)}`,
        };
      }
    };
    try {
      return await work({ ...cluster, view: await readView(cluster), ask });
    } finally {
      await client.close();
    }
  });
}

/** The named members, or all. Throws `member-unknown`. */
export function chosen(view: ClusterView, names: readonly string[]): readonly Member[] {
  if (names.length === 0) return [...view.members.values()];
  return names.map((name) => {
    const member = view.members.get(name);
    if (member !== undefined) return member;
    const known = [...view.members.keys()].join(', ') || 'none';
    throw new MatriarchError('member-unknown', `there is no member ${name}; there are: ${known}`);
  });
}

/** One line a member, as each answers; the exit status says whether all did as asked. */
export async function askEach(
  shell: Shell,
  { ask }: Members,
  asked: { readonly members: readonly Member[]; readonly question: Question },
): Promise<void> {
  let isOk = true;
  // One after the other: two members are never restarted at once.
  for (const member of asked.members) {
    const answer = await ask(member, asked.question);
    shell.out(`${answer.name}: ${answer.text}\n`);
    isOk &&= answer.isOk;
  }
  shell.setExit(isOk ? EXIT.ok : EXIT.failed);
}
