/** `matriarch template`: files from templates and keys, kept right; confd's command with confd's options. */
import { Command, Option } from 'commander';
import type { Address, Log } from '../base/index.ts';
import type { Backend, ClusterScope, KeeperStatus, WatcherOptions } from '../template/index.ts';
import type { Config } from '../config/index.ts';
import { type ConfigFileOptions, etcdOf, readConfig, withConfigOption } from './config-file.ts';
import { parseListen, parsePeriod } from './options.ts';
import { jitter } from './service.ts';
import type { Shell } from './shell.ts';
import { pgpoolFollowCommand } from './template-pgpool.ts';
import { takeConfdFile } from './template-settings.ts';
import { templateStatusCommand } from './template-status.ts';

export function templateCommand(shell: Shell): Command {
  const command = new Command('template')
    .description("keep files right from templates and the keys of etcd, as confd does, with confd's files")
    .option('--watch', 'follow the backend, and apply each change when it is quiet')
    .addOption(
      new Option(
        '--interval <duration>',
        'without --watch: how often the backend is read; with it: how often all is looked at anyway',
      )
        .argParser(parsePeriod)
        .default(600_000, '10min'),
    )
    .option('--onetime', 'apply everything once and end')
    .option('--noop', 'change nothing: show what each file would be that is not so')
    .option('--diff', 'change nothing: show what would change in each file')
    .option('--sync-only', 'run no check_cmd and no reload_cmd')
    .option(
      '--config-file <file>',
      "confd's settings (TOML), which options come before; /etc/confd/confd.toml, if it is there",
    )
    .option('--prefix <prefix>', 'stands before all keys, in place of the prefix of each resource', '')
    .option('--confdir <folder>', 'has conf.d and templates', '/etc/confd')
    .option('--keep-stage-file', 'leave what was staged and refused beside the file')
    .option(
      '--state-dir <folder>',
      'where it is remembered which reloads are owed',
      '/var/lib/matriarch/template',
    )
    .addOption(
      new Option('--backend <name>', "where keys come from; etcdv3 is confd's name of etcd")
        .choices(BACKENDS)
        .default('etcd'),
    )
    .option('--node <url...>', 'client URLs of etcd, in place of those of matriarch.yaml')
    .option('--client-ca-keys <file>', 'with --node: authorities that its certificate is proved by')
    .option('--client-cert <file>', 'with --node: certificate by which the watcher proves itself')
    .option('--client-key <file>', 'with --node: its key')
    .option('--username <name>', 'with --node: user of etcd')
    .option('--password <password>', 'with --node: its password')
    .addOption(new Option('--basic-auth', 'log in, which is done wherever a user is named').hideHelp())
    .option('--file <path...>', 'files of YAML or JSON, or folders of them, for the backend file')
    .option('--filter <pattern>', 'with --file: which files of a folder, by name', '*')
    .option('--scope <name>', 'the cluster that templates ask for, in place of that of matriarch.yaml')
    .option('--namespace <prefix>', 'with --scope: prefix of its keys, if not /service/')
    .option('--status-listen <host:port>', 'tell there by HTTP how the files stand', parseListen)
    .addOption(
      new Option('--log-level <level>', 'the least that is logged').choices(LOG_LEVELS).default('info'),
    )
    .addHelpText(
      'after',
      `
Reads \`conf.d/*.toml\` in the folder, and the templates that they name in \`templates\`: Go's text/template with confd's functions.
Runs in the foreground until SIGTERM or SIGINT, then ends what is under way. A file is replaced only by what was rendered from one
whole state of the store and accepted by check_cmd; a reload_cmd that fails is run again until it succeeds, also after a new start.`,
    )
    .action(async ({ configFile }: Options) => {
      const idle = await takeConfdFile(command, configFile);
      const given = command.opts<Options>();
      if (!BACKENDS.includes(given.backend))
        command.error(`error: there is no backend ${given.backend}; there are ${BACKENDS.join(', ')}`);
      const options = given.backend === 'etcdv3' ? { ...given, backend: 'etcd' } : given;
      if (options.backend === 'file' && options.file === undefined)
        command.error('error: the backend file needs --file <path>');
      await runTemplate(shell, options, idle);
    });
  command.addCommand(templateStatusCommand(shell)).addCommand(pgpoolFollowCommand(shell));
  return withConfigOption(command);
}

const BACKENDS: readonly string[] = ['etcd', 'etcdv3', 'env', 'file'];
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

interface Options extends ConfigFileOptions {
  readonly watch?: boolean;
  readonly interval: number;
  readonly onetime?: boolean;
  readonly noop?: boolean;
  readonly diff?: boolean;
  readonly syncOnly?: boolean;
  readonly prefix: string;
  readonly confdir: string;
  readonly keepStageFile?: boolean;
  readonly stateDir: string;
  readonly backend: string;
  readonly configFile?: string;
  readonly node?: string[];
  readonly clientCaKeys?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly username?: string;
  readonly password?: string;
  readonly file?: string[];
  readonly filter: string;
  readonly scope?: string;
  readonly namespace?: string;
  readonly statusListen?: Address;
  readonly logLevel: string;
  readonly debug?: boolean;
}

/** Between two requests to etcd that only `--node` names. */
const REQUEST_TIMEOUT_MS = 2_000;

async function runTemplate(shell: Shell, options: Options, idle: readonly string[]): Promise<void> {
  const [{ createLog }, template] = await Promise.all([import('./log.ts'), import('../template/index.ts')]);
  // confd has more of them.
  const known = LOG_LEVELS.find((name) => name === options.logLevel) ?? 'info';
  const level = options.debug === true ? 'debug' : known;
  const log = await createLog({ level, format: 'auto', isTerminal: shell.isTerminal, fd: 2 });
  if (idle.length > 0) log.warn('confd-keys-idle', { keys: idle });
  // What is named by options needs no file.
  const hasFile = options.backend === 'etcd' && options.node === undefined;
  const config = hasFile ? await readConfig(shell, options, 'cluster') : undefined;
  const { backend, close } = await backendOf(shell, options, { config, log });
  let statuses: (() => readonly KeeperStatus[]) | undefined;
  const watcher: WatcherOptions = {
    onStarted: (asked) => {
      statuses = asked;
    },
    folder: options.confdir,
    stateFolder: options.stateDir,
    backend,
    cluster: await clusterScope(shell, options, config),
    prefix: options.prefix,
    intervalMs: options.interval,
    isNoop: options.noop === true || options.diff === true,
    isSyncOnly: options.syncOnly === true,
    keepsStaged: options.keepStageFile === true,
    environment: shell.env,
    clock: shell.clock,
    log,
    random: jitter,
    onShow: ({ dest, before, after }) =>
      shell.out(options.diff === true ? template.unifiedDiff(before, after, dest) : `--- ${dest}\n${after}`),
  };
  const http =
    options.statusListen === undefined
      ? undefined
      : await template.serveStatus(() => statuses?.() ?? [], shell.clock, {
          address: options.statusListen,
          what: 'the status of templates',
        });
  try {
    if (options.onetime === true) await template.applyOnce(watcher);
    else if (options.watch === true) await template.watch(watcher, shell.signal);
    else await template.poll(watcher, shell.signal);
  } finally {
    await http?.close();
    await close();
  }
}

/** The cluster of the options, looked at from LOCAL_DATACENTER; else that of the file. */
async function clusterScope(
  shell: Shell,
  { scope, namespace }: Options,
  config: Config | undefined,
): Promise<ClusterScope | undefined> {
  const { keyLayout, readPolicyOf } = await import('../topology/index.ts');
  if (scope === undefined)
    return config === undefined
      ? undefined
      : {
          name: config.scope,
          layout: keyLayout(config.namespace, config.scope),
          policy: readPolicyOf(config),
        };
  const { USUAL_NAMESPACE, USUAL_WEIGHTS } = await import('../config/index.ts');
  const bare = {
    datacenter: shell.env['LOCAL_DATACENTER'] ?? '',
    addresses: {},
    router: { weights: USUAL_WEIGHTS },
  };
  return {
    name: scope,
    layout: keyLayout(namespace ?? USUAL_NAMESPACE, scope),
    policy: readPolicyOf(config ?? bare),
  };
}

const nothing = async (): Promise<void> => await Promise.resolve();

async function backendOf(
  shell: Shell,
  options: Options,
  { config, log }: { readonly config: Config | undefined; readonly log: Log },
): Promise<{ readonly backend: Backend; readonly close: () => Promise<void> }> {
  const { environmentBackend, etcdBackend, fileBackend } = await import('../template/index.ts');
  if (options.backend === 'env') return { backend: environmentBackend(shell.env), close: nothing };
  if (options.backend === 'file') {
    return { backend: fileBackend(options.file ?? [], options.filter), close: nothing };
  }
  const { connectEtcd } = await import('../dcs/index.ts');
  const etcd =
    config === undefined
      ? {
          endpoints: options.node ?? [],
          request_timeout: REQUEST_TIMEOUT_MS,
          cacert: options.clientCaKeys,
          cert: options.clientCert,
          key: options.clientKey,
          username: options.username,
          password: options.password,
        }
      : etcdOf(config);
  const dcs = connectEtcd(etcd, { clock: shell.clock, log });
  return { backend: etcdBackend(dcs), close: async () => await dcs.close() };
}
