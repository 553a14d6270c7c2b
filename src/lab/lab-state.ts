/** What a lab's folder remembers: its addresses, and the demo that owns it, if one does. */
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { MatriarchError } from '../base/index.ts';
import { type HaKind, type LabPaths, labPaths } from './files.ts';
import { allHosts, type Host, type LabLayout, labLayout } from './hosts.ts';
import { startTicks } from './processes.ts';

/** `owner`: the demo that made this lab and will end it; a lab of `up` has none. */
const stateSchema = z.object({
  baseOctet: z.int(),
  router: z.enum(['matriarch', 'pgpool']).default('matriarch'),
  ha: z.enum(['matriarch', 'patroni']).default('matriarch'),
  owner: z.object({ pid: z.int(), startTicks: z.number() }).optional(),
});

/** What the application hosts run. */
export type RouterKind = LabState['router'];

type LabState = z.infer<typeof stateSchema>;

/** Notes the lab in its folder. `ownerPid`: the process that ends this lab with itself. */
export async function writeState(
  paths: LabPaths,
  { baseOctet, router, ha }: Pick<LabState, 'baseOctet' | 'router' | 'ha'>,
  ownerPid: number | undefined,
): Promise<void> {
  const ticks = ownerPid === undefined ? undefined : startTicks(ownerPid);
  const owner =
    ownerPid === undefined || ticks === undefined ? undefined : { pid: ownerPid, startTicks: ticks };
  const state: LabState = { baseOctet, router, ha, owner };
  await writeFile(paths.state, `${JSON.stringify(state)}\n`);
}

/** What the folder remembers; undefined when it holds no lab. */
export async function readState(paths: LabPaths): Promise<LabState | undefined> {
  const text = await readFile(paths.state, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : stateSchema.parse(JSON.parse(text));
}

/** Whether a lab was made in the folder before. */
export async function hasLab(folder: string): Promise<boolean> {
  return (await readState(labPaths(folder))) !== undefined;
}

interface OpenedLab {
  readonly layout: LabLayout;
  readonly paths: LabPaths;
  readonly router: RouterKind;
  readonly ha: HaKind;
}

/** The layout of the lab in a folder; rejects with `lab-missing` when none was made there. */
export async function openLab(folder: string): Promise<OpenedLab> {
  const paths = labPaths(folder);
  const state = await readState(paths);
  if (state === undefined) throw new MatriarchError('lab-missing', `there is no lab in ${folder}`);
  return { layout: labLayout(state.baseOctet), paths, router: state.router, ha: state.ha };
}

/** The host of that name; rejects with `lab-unknown-host`. */
export function hostNamed(layout: LabLayout, name: string): Host {
  const host = allHosts(layout).find((each) => each.name === name);
  if (host !== undefined) return host;
  throw new MatriarchError(
    'lab-unknown-host',
    `no host ${name}; the lab has ${allHosts(layout)
      .map((each) => each.name)
      .join(', ')}`,
  );
}
