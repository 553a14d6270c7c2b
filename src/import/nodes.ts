/** The servers of a source as the list `nodes`, and the address that clients connect to. */
import type { Draft } from './draft.ts';
import type { Entry } from './note.ts';

/** A server on this host, though it is reached through a Unix socket. */
export const LOCAL_HOST = 'localhost';

export class NodeList {
  readonly #draft: Draft;
  readonly #nodes: { name: string; address: string; weight?: number }[] = [];

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  /** A server that is listed already is not listed again. */
  add(
    entry: Entry,
    host: string,
    port: string,
    more: { readonly name?: string; readonly weight?: number } = {},
  ): void {
    const address = addressOf(host, port);
    const isSame = (other: string): boolean => withoutName(other) === withoutName(address);
    if (this.#nodes.some((node) => isSame(node.address))) return;
    const first = this.#nodes[0];
    if (first !== undefined && entry.section === 'databases') {
      this.#draft.note(
        entry,
        `${address} is another server than ${first.address}: all nodes are taken as one cluster, a primary and its standbys. If they are not, let another router have it`,
      );
    }
    const name = this.#freeName((more.name ?? host).replace(/[/\s]+/g, '_'), port);
    this.#nodes.push({ name, address, ...(more.weight === undefined ? {} : { weight: more.weight }) });
  }

  /** `hasRole`: the source names a role to ask the servers as. */
  finish(hasRole: boolean): void {
    if (this.#nodes.length > 0) this.#draft.set('nodes', this.#nodes);
    if (this.#nodes.length < 2 || hasRole) return;
    this.#draft.added(
      'router.auth_user',
      '',
      'is needed and not in the source: the role as whom the servers are asked which of them is the primary',
    );
  }

  get size(): number {
    return this.#nodes.length;
  }

  #freeName(name: string, port: string): string {
    const isTaken = (wanted: string): boolean => this.#nodes.some((node) => node.name === wanted);
    if (!isTaken(name)) return name;
    return isTaken(`${name}-${port}`) ? `${name}-${port}-${this.#nodes.length}` : `${name}-${port}`;
  }
}

/** `host:port`, IPv6 in brackets. */
export function addressOf(host: string, port: string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** One address of the list that `entry` is; all of them for `*`. */
export function listenTo(
  draft: Draft,
  entry: Entry | undefined,
  { port, fallback }: { readonly port: string; readonly fallback: string },
): string {
  const [first = '', ...others] = (entry?.value ?? '').split(',').map((each) => each.trim());
  if (entry !== undefined && others.length > 0)
    draft.note(entry, `a router listens on one address: ${first}`);
  if (first === '') return addressOf(fallback, port);
  return addressOf(first === '*' ? '0.0.0.0' : first, port);
}

const withoutName = (address: string): string => address.replace(/^localhost:/, '127.0.0.1:');
