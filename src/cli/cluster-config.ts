/**
 * `matriarch show-config`, `edit-config`, `pause` and `resume`: the cluster-wide configuration key. Written only as it
 * was read: a change that somebody else made meanwhile is never lost.
 */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { EXIT, isRecord, MatriarchError, parseJson, pause } from '../base/index.ts';
import type { ClusterView } from '../topology/index.ts';
import type { Cluster } from './cluster.ts';
import { etcdOf, withConfigOption } from './config-file.ts';
import type { OperatorOptions } from './members.ts';
import { parsePeriod } from './options.ts';
import type { Shell } from './shell.ts';

type Value = Readonly<Record<string, unknown>>;

export function showConfigCommand(shell: Shell): Command {
  const command = new Command('show-config')
    .description('print the cluster-wide configuration')
    .option('--json', 'as JSON; else as YAML')
    .action(async (options: OperatorOptions & { readonly json?: boolean }) => {
      const { withCluster, readView } = await import('./cluster.ts');
      await withCluster(shell, options, async (cluster) => {
        const { value } = present(await readView(cluster));
        shell.out(options.json === true ? `${JSON.stringify(value)}\n` : await asYaml(value));
      });
    });
  return withConfigOption(command);
}

interface EditOptions extends OperatorOptions {
  readonly set?: readonly string[];
  readonly parameter?: readonly string[];
  readonly apply?: string;
  readonly replace?: string;
}

export function editConfigCommand(shell: Shell): Command {
  const command = new Command('edit-config')
    .description('change the cluster-wide configuration; members follow at once')
    .option(
      '-s, --set <key=value>',
      'a key, with dots for those inside; null takes it away; repeatable',
      collect,
    )
    .option('-p, --parameter <name=value>', 'a setting of PostgreSQL; repeatable', collect)
    .option('--apply <file>', 'YAML or JSON that is merged into it')
    .option('--replace <file>', 'YAML or JSON that takes its place')
    .addHelpText('after', EDIT_HELP)
    .action((options: EditOptions) => edit(shell, options));
  return withConfigOption(command);
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

const EDIT_HELP = `
Examples:
  matriarch edit-config -s maximum_lag_on_failover=16777216
  matriarch edit-config -p work_mem=16MB -p max_connections=200
  matriarch edit-config -s synchronous_mode=null

What was changed is printed, and which keys change nothing.`;

async function edit(shell: Shell, options: EditOptions): Promise<void> {
  const { readView, withCluster } = await import('./cluster.ts');
  const { ignoredKeys, patchConfig } = await import('../agent/index.ts');
  const patches = await patchesOf(options);
  if (patches.length === 0 && options.replace === undefined)
    throw new MatriarchError(
      'edit-impossible',
      'nothing to change: give --set, --parameter, --apply or --replace',
    );
  await withCluster(shell, options, async (cluster) => {
    const { value: before, modRevision } = present(await readView(cluster));
    const start = options.replace === undefined ? before : await readValue(options.replace);
    const after = patches.reduce((value, patch) => patchConfig(value, patch), start);
    const lines = differences(await asYaml(before), await asYaml(after));
    if (lines.length === 0) {
      shell.out('Nothing changed.\n');
      return;
    }
    await write(cluster, after, modRevision);
    shell.out(`${lines.join('\n')}\n`);
    const already = new Set(ignoredKeys(before).map(({ key }) => key));
    for (const { key, because } of ignoredKeys(after)) {
      if (!already.has(key)) shell.err(`${key} changes nothing here: ${because}\n`);
    }
  });
}

async function patchesOf(options: EditOptions): Promise<readonly Value[]> {
  const { parse } = await import('yaml');
  const assigned = (text: string, prefix: readonly string[]): Value => {
    const at = text.indexOf('=');
    const path = [...prefix, ...(prefix.length === 0 ? text.slice(0, at).split('.') : [text.slice(0, at)])];
    if (at < 1 || path.some((part) => part === ''))
      throw new MatriarchError('edit-impossible', `${text} is not of the form key=value`);
    const value: unknown = parse(text.slice(at + 1));
    const [key = '', ...inner] = path;
    return { [key]: inner.reduceRight<unknown>((within, name) => ({ [name]: within }), value ?? null) };
  };
  return [
    ...(options.apply === undefined ? [] : [await readValue(options.apply)]),
    ...(options.set ?? []).map((text) => assigned(text, [])),
    ...(options.parameter ?? []).map((text) => assigned(text, ['postgresql', 'parameters'])),
  ];
}

async function readValue(file: string): Promise<Value> {
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new MatriarchError('edit-impossible', `${file} cannot be read as YAML or JSON`, { cause });
  }
  if (isRecord(value)) return value;
  throw new MatriarchError('edit-impossible', `${file} holds no keys`);
}

interface PauseOptions extends OperatorOptions {
  readonly wait?: number;
}

export function pauseCommand(shell: Shell): Command {
  return toggle(shell, {
    name: 'pause',
    description: 'let an operator work by hand: no election, start, stop or promotion but on request',
    isPaused: true,
  });
}

export function resumeCommand(shell: Shell): Command {
  return toggle(shell, { name: 'resume', description: 'end a pause', isPaused: false });
}

interface Toggle {
  readonly name: string;
  readonly description: string;
  readonly isPaused: boolean;
}

const SEEN_MS = 15_000;

function toggle(shell: Shell, { name, description, isPaused: wanted }: Toggle): Command {
  const command = new Command(name)
    .description(description)
    .option(
      '--wait <duration>',
      'longest time to wait until every member has seen it (default: 15s); 0 does not wait',
      parsePeriod,
    )
    .action(async (options: PauseOptions) => {
      const { readView, withCluster } = await import('./cluster.ts');
      const { patchConfig } = await import('../agent/index.ts');
      const { isPaused } = await import('../topology/index.ts');
      await withCluster(shell, options, async (cluster) => {
        const view = await readView(cluster);
        const { value, modRevision } = present(view);
        if (isPaused(view) === wanted) {
          shell.out(wanted ? 'The cluster is paused already.\n' : 'The cluster is not paused.\n');
          return;
        }
        await write(cluster, patchConfig(value, { pause: wanted ? true : null }), modRevision);
        shell.out(wanted ? 'The cluster is paused.\n' : 'The cluster is not paused any more.\n');
        const missing = await unseen(shell, cluster, { wanted, withinMs: options.wait ?? SEEN_MS });
        if (missing.length === 0) return;
        shell.err(`not seen yet by: ${missing.join(', ')}\n`);
        shell.setExit(EXIT.failed);
      });
    });
  return withConfigOption(command);
}

/** Members that run and have not said yet that they have seen it. */
async function unseen(
  shell: Shell,
  cluster: Cluster,
  { wanted, withinMs }: { readonly wanted: boolean; readonly withinMs: number },
): Promise<readonly string[]> {
  const { readView } = await import('./cluster.ts');
  if (withinMs === 0) return [];
  const until = shell.clock.now() + withinMs;
  for (;;) {
    const { members } = await readView(cluster);
    const missing = [...members.values()].filter((member) => member.isPaused !== wanted);
    if (missing.length === 0 || shell.clock.now() >= until || shell.signal.aborted)
      return missing.map(({ name }) => name);
    await pause(100, shell.signal);
  }
}

function present(view: ClusterView): NonNullable<ClusterView['config']> {
  if (view.config !== undefined) return view.config;
  throw new MatriarchError(
    'edit-impossible',
    'the cluster has no configuration key yet: its leader writes it',
  );
}

async function write({ dcs, layout, config }: Cluster, value: Value, modRevision: number): Promise<void> {
  const { outcome } = await dcs.transact(
    {
      when: [{ key: layout.config, is: 'mod-revision', modRevision }],
      then: [{ op: 'put', key: layout.config, value: JSON.stringify(value) }],
    },
    { timeoutMs: etcdOf(config).request_timeout },
  );
  if (outcome === 'refused')
    throw new MatriarchError('edit-impossible', 'the configuration was changed by somebody else just now');
}

async function asYaml(value: Value): Promise<string> {
  const { stringify } = await import('yaml');
  // Through JSON, so that what prints is what is stored.
  return stringify(parseJson(JSON.stringify(value)));
}

/** Lines that went (`-`) and came (`+`), in the order of the texts. */
export function differences(before: string, after: string): readonly string[] {
  const [was, is] = [before.split('\n'), after.split('\n')];
  const gone = was.filter((line) => !is.includes(line)).map((line) => `-${line}`);
  const came = is.filter((line) => !was.includes(line)).map((line) => `+${line}`);
  return before === after ? [] : [...gone, ...came];
}
