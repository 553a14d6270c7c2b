/**
 * What must be told to pgpool-II so that it is as its file says. A reload alone does neither make it look for the primary
 * nor take servers back: it looks when a server is detached or attached, and a server that was detached stays so. So the
 * primary of before is detached once there is another, and whatever runs is attached. Pure: one step at a time, from what
 * pgpool-II says of itself.
 */
import { slotLines } from './slot-lines.ts';

export interface WantedNode {
  readonly slot: number;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly isUp: boolean;
  readonly isPrimary: boolean;
}

export interface PgpoolNode {
  readonly host: string;
  readonly port: number;
  readonly isUp: boolean;
  readonly isPrimary: boolean;
}

export type FollowStep =
  | { readonly do: 'nothing' }
  | { readonly do: 'attach' | 'detach'; readonly slot: number }
  /** It knows of no primary. If that lasts, one that is detached makes it look. */
  | { readonly do: 'stir'; readonly slot: number }
  /** It has other servers at these numbers, which only a restart changes. */
  | { readonly do: 'restart'; readonly because: string }
  /** Not there yet, and nothing to be told. */
  | { readonly do: 'wait'; readonly because: string };

/** From the lines `# slot N NAME HOST PORT up|down [primary]` of the file. */
export function wantedNodes(text: string): WantedNode[] {
  return slotLines(text).map(({ words, ...line }) => ({
    ...line,
    isUp: words.includes('up'),
    isPrimary: words.includes('primary'),
  }));
}

/** What `pcp_node_info --all` prints: host, port, status (1 and 2 are up), weight, its name …, role. */
export function pgpoolNodes(printed: string): PgpoolNode[] {
  return printed.split('\n').flatMap((line) => {
    const [host, port, status, ...rest] = line.trim().split(/\s+/);
    if (host === undefined || !/^\d+$/.test(port ?? '') || status === undefined) return [];
    const role = rest.find((word) => word === 'primary' || word === 'standby');
    return [
      { host, port: Number(port), isUp: status === '1' || status === '2', isPrimary: role === 'primary' },
    ];
  });
}

/** The next thing to do; after it, ask again. */
export function followStep(wanted: readonly WantedNode[], nodes: readonly PgpoolNode[]): FollowStep {
  const moved = wanted.find(({ slot, host, port }) => {
    const node = nodes[slot];
    return node !== undefined && (node.host !== host || node.port !== port);
  });
  if (moved !== undefined) {
    const node = nodes[moved.slot];
    const because = `server ${moved.slot} is ${node?.host}:${node?.port}, and is to be ${moved.host}:${moved.port}`;
    return { do: 'restart', because };
  }
  const isUp = ({ slot }: WantedNode): boolean => nodes[slot]?.isUp === true;
  const missing = wanted.find(({ slot, isUp: isWanted }) => nodes[slot] === undefined && isWanted);
  if (missing !== undefined) return { do: 'wait', because: `it has no server ${missing.slot} yet` };
  const primary = wanted.find(({ isPrimary }) => isPrimary);
  // The primary first: by being attached it is looked for.
  if (primary !== undefined && !isUp(primary)) return { do: 'attach', slot: primary.slot };
  const isKnown = primary === undefined || nodes[primary.slot]?.isPrimary === true;
  if (primary !== undefined && !isKnown) {
    const old = wanted.find((node) => node !== primary && isUp(node) && nodes[node.slot]?.isPrimary === true);
    if (old !== undefined) return { do: 'detach', slot: old.slot };
    // It knows of none at all; perhaps it is looking.
    const other = wanted.find((node) => node !== primary && isUp(node));
    if (other !== undefined) return { do: 'stir', slot: other.slot };
  }
  const away = wanted.find(
    // Without a primary it would wait for one, and serve nobody.
    (node) => isUp(node) && !node.isUp && (primary !== undefined || nodes[node.slot]?.isPrimary !== true),
  );
  if (away !== undefined && wanted.some((node) => node !== away && isUp(node)))
    return { do: 'detach', slot: away.slot };
  const back = wanted.find((node) => node.isUp && !isUp(node));
  if (back !== undefined) return { do: 'attach', slot: back.slot };
  return isKnown
    ? { do: 'nothing' }
    : { do: 'wait', because: `it does not know that ${primary?.name} is the primary` };
}
