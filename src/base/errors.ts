/**
 * Operating errors: what went wrong outside our code, told to a person. One class, one table of codes. Each
 * code says what a person can do (`hint`), with which status the command exits, and which SQLSTATE a client
 * of the router gets when it may see the error at all. `docs/reference/errors.md` is rendered from this table,
 * and a test asks that every code is provoked by a test.
 *
 * A new code? Add a row in its component's section, and a test that provokes it.
 */

/** Exit codes of the command, documented in `matriarch --help`. */
export const EXIT = {
  ok: 0,
  /** The operation was tried and failed. */
  failed: 1,
  /** The command line or the configuration is wrong; nothing was tried. */
  usage: 2,
  /** Something outside (etcd, PostgreSQL, a port, the disk) is not as needed. */
  unavailable: 3,
  /** A bug of ours: an assertion failed or an error was not expected (sysexits' EX_SOFTWARE). */
  bug: 70,
} as const;

/** What is said about a code: to a person, to the shell, to a client of the router. */
export interface ErrorRow {
  readonly hint: string;
  readonly exit: number;
}

const row = (exit: number, hint: string): ErrorRow => ({ exit, hint });

export const ERROR_TABLE = {
  // base
  'deadline-exceeded': row(
    EXIT.unavailable,
    'The other side did not answer in time; see whether it runs and can be reached.',
  ),
  'address-in-use': row(
    EXIT.unavailable,
    'Another program listens there. Stop it, or change the address in matriarch.yaml.',
  ),
  'address-not-available': row(
    EXIT.unavailable,
    'This host does not have that address. Correct it in matriarch.yaml.',
  ),
  'address-forbidden': row(
    EXIT.unavailable,
    'Ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose a higher port.',
  ),

  interrupted: row(EXIT.failed, 'It was stopped on request; run it again when ready.'),

  // config
  'config-unreadable': row(
    EXIT.usage,
    'Name a file that exists and may be read; matriarch.yaml itself with --config.',
  ),
  'config-invalid': row(
    EXIT.usage,
    'Correct what is named above; nothing was started or changed, and what runs goes on as before.',
  ),
  'config-not-found': row(
    EXIT.usage,
    'Name it with --config FILE, or write one: matriarch config sample > matriarch.yaml',
  ),

  // cli
  'import-unrecognized': row(EXIT.usage, 'Say what the file is with --from pgbouncer or --from pgpool.'),
  'switchover-impossible': row(
    EXIT.failed,
    'Nothing was changed. See the members with `matriarch status`, then choose another leader or candidate.',
  ),
  'switchover-failed': row(
    EXIT.failed,
    'See `matriarch status`, and the logs of the two agents for the reason that they give.',
  ),
  'member-unknown': row(EXIT.usage, 'See the names of the members with `matriarch status`.'),
  'edit-impossible': row(
    EXIT.failed,
    'Nothing was changed. See what there is with `matriarch show-config`, and try again.',
  ),
  'failover-failed': row(
    EXIT.failed,
    'See `matriarch status`, and the logs of the agents for the reason that they give.',
  ),

  // dcs
  'dcs-unavailable': row(
    EXIT.unavailable,
    'Check that etcd runs, has a quorum, and that etcd.endpoints names its client URLs.',
  ),
  'dcs-gateway-disabled': row(
    EXIT.unavailable,
    'etcd answers, but without its JSON gateway: start it with --enable-grpc-gateway=true.',
  ),
  'dcs-refused': row(EXIT.failed, 'etcd refused the request; its log has the details.'),

  // router
  'router-no-server': row(
    EXIT.unavailable,
    'See /nodes at router.http_listen, and whether the database hosts run and can be reached.',
  ),
  'router-unreachable': row(
    EXIT.unavailable,
    'See whether the router of this host runs, and whether router.http_listen is where it listens; or name it with --router.',
  ),
  'router-lookup-refused': row(
    EXIT.failed,
    'Check the rights and the password of router.auth_user, and router.auth_query: `matriarch auth install` makes both.',
  ),
  'router-access-invalid': row(
    EXIT.usage,
    'Correct the file that is named: certificates, users, host rules. A router that runs goes on with what it had.',
  ),
  'router-socket-unusable': row(
    EXIT.unavailable,
    'Choose another router.unix_socket_dir or port, or stop the program that listens there.',
  ),
  'router-pid-file-unwritable': row(
    EXIT.unavailable,
    'Correct router.pid_file, or let the router’s user write to its directory.',
  ),
  'router-no-credential': row(
    EXIT.unavailable,
    'With etcd, the leader’s agent writes it once the cluster runs: start the agents. With `nodes`, set router.auth_user.',
  ),

  'reload-needs-restart': row(
    EXIT.failed,
    'Nothing was changed. Put those keys back and reload again, or restart the router.',
  ),

  // template
  'template-source-unreadable': row(
    EXIT.unavailable,
    'Name files of YAML or JSON that exist and may be read.',
  ),
  'template-resource-invalid': row(
    EXIT.usage,
    'Correct what is named above in the folder conf.d; nothing was changed, and other resources go on.',
  ),
  'template-not-applied': row(
    EXIT.failed,
    'What is named above kept the file as it was; correct it and run again.',
  ),

  'template-unreachable': row(
    EXIT.unavailable,
    'Start the watcher with --status-listen, and give the same address here.',
  ),

  'pgpool-not-following': row(
    EXIT.failed,
    'See that pgpool-II runs and lets the PCP user in; where a server has another address, restart it or give --restart-cmd.',
  ),

  // lab
  'lab-tool-missing': row(EXIT.unavailable, 'Install it: apt-get install postgresql etcd-server'),
  'lab-folder-unusable': row(
    EXIT.unavailable,
    'Choose another folder with --data DIR; PostgreSQL’s user must be able to enter it.',
  ),
  'lab-addresses-taken': row(
    EXIT.unavailable,
    'Stop what listens there (another lab: `matriarch lab down`), or move this lab with another --base-octet N.',
  ),
  'lab-running': row(
    EXIT.failed,
    'Stop it with `matriarch lab down`, or start another with --data DIR --base-octet N.',
  ),
  'lab-missing': row(EXIT.failed, 'Start one with `matriarch lab up`, or name its folder with --data DIR.'),
  'lab-unknown-host': row(EXIT.usage, 'See the hosts with `matriarch lab status`.'),
  'lab-client-failed': row(EXIT.failed, 'See the router’s log with `matriarch lab logs HOST`.'),
  'lab-not-ready': row(
    EXIT.failed,
    'Mend what the lines above name, and try again; `matriarch lab logs HOST` has more where the lab still stands.',
  ),

  // agent
  'agent-job-failed': row(
    EXIT.failed,
    'The agent tries again by itself, more slowly each time; its log says what it did before.',
  ),
  'fence-unavailable': row(
    EXIT.unavailable,
    'Without its fence process this member will not lead; see the .fence.log file beside the data directory.',
  ),
  'watchdog-unusable': row(
    EXIT.unavailable,
    'With watchdog.mode: required this member leads only with a device that resets the machine in time; docs/agent.md has what it takes.',
  ),
  'name-taken': row(
    EXIT.usage,
    'Two hosts of a cluster must not have the same name, nor two that make one slot name: give this one another, or stop the other for good.',
  ),
  'system-id-mismatch': row(
    EXIT.failed,
    'The data directory belongs to another cluster. Move it aside to have it cloned anew, or correct scope and namespace.',
  ),

  // postgres
  'postgres-binaries-missing': row(
    EXIT.usage,
    'Install PostgreSQL and set postgresql.bin_dir to the directory that holds initdb, and postgresql.os_user to its user.',
  ),
  'postgres-data-dir': row(
    EXIT.unavailable,
    'Set postgresql.data_dir to an empty or absent directory, or to one that PostgreSQL made.',
  ),
  'postgres-control-data': row(
    EXIT.unavailable,
    "Compare the data directory's PG_VERSION with the programs in postgresql.bin_dir; a damaged directory must be moved aside and cloned.",
  ),
  'postgres-setting-invalid': row(
    EXIT.usage,
    'Correct this setting of PostgreSQL in matriarch.yaml or in the cluster-wide configuration.',
  ),
  'postgres-initdb-failed': row(
    EXIT.unavailable,
    'Remove what initdb complains of (disk space, permissions); nothing was left behind, and the agent tries again by itself.',
  ),
  'postgres-clone-failed': row(
    EXIT.unavailable,
    'Check disk space and the way to the member that is copied; the copy was removed and is tried again.',
  ),
  'postgres-start-failed': row(
    EXIT.unavailable,
    "Remove what PostgreSQL's last lines name; its whole log is beside the data directory, with the ending .log.",
  ),
  'postgres-unreachable': row(
    EXIT.unavailable,
    'Check that PostgreSQL runs there, and that the password and pg_hba.conf let this role in.',
  ),
  'postgres-sql-failed': row(EXIT.failed, 'PostgreSQL refused the statement; its log has the details.'),
} as const satisfies Readonly<Record<string, ErrorRow>>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** An operating error. `message` says what happened and where; `hint` what to do. */
export class MatriarchError extends Error {
  override readonly name = 'MatriarchError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get hint(): string {
    return ERROR_TABLE[this.code].hint;
  }

  get exit(): number {
    return ERROR_TABLE[this.code].exit;
  }
}
