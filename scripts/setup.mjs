// Makes a checkout ready to run: Node's version, npm packages, Debian's PostgreSQL and etcd, the build. Plain Node,
// because it runs before anything is installed. It installs what is missing and nothing twice, downloads from npm's
// and Debian's registries only, and never starts, stops or uses services of the distribution.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const PACKAGES = ['postgresql', 'etcd-server'];
/** The clients of test/clients that npm does not carry, with a file that each puts in its place. */
const CLIENTS = {
  'python3-psycopg2': '/usr/lib/python3/dist-packages/psycopg2',
  'python3-psycopg': '/usr/lib/python3/dist-packages/psycopg',
  'python3-asyncpg': '/usr/lib/python3/dist-packages/asyncpg',
  'python3-sqlalchemy': '/usr/lib/python3/dist-packages/sqlalchemy',
  'python3-django': '/usr/lib/python3/dist-packages/django',
  'libdbd-pg-perl': '/usr/share/doc/libdbd-pg-perl',
  'php-cli': '/usr/bin/php',
  'php-pgsql': '/usr/share/doc/php-pgsql',
  'ruby-pg': '/usr/share/doc/ruby-pg',
  'libpostgresql-jdbc-java': '/usr/share/java/postgresql.jar',
  'default-jdk-headless': '/usr/bin/javac',
};
/** Exit status when something outside the checkout is missing; as EXIT.unavailable of the command. */
const UNAVAILABLE = 3;

/** Runs every step; ends the process with a message when one cannot be done. */
export function setup() {
  checkNode();
  installNpmPackages();
  installServers();
  build();
}

/** One line to standard error, so that the output of what follows stays clean. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(`setup: Node.js ${process.versions.node} is too old; 20.19 or newer is needed (https://nodejs.org)`);
}

function installNpmPackages() {
  if (isInstalled()) return;
  say('setup: installing npm packages (npm ci)');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci failed; see its messages above');
}

/** npm keeps a list of what it put into node_modules; it must be what package-lock.json asks for. */
function isInstalled() {
  const present = join(ROOT, 'node_modules', '.package-lock.json');
  if (!existsSync(present)) return false;
  const installed = JSON.parse(readFileSync(present, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, { integrity, optional }]) => {
    // Optional packages are for other platforms; npm leaves those out.
    if (path === '' || (optional && installed[path] === undefined)) return true;
    return installed[path]?.integrity === integrity && existsSync(join(ROOT, path));
  });
}

function installServers() {
  const missing = missingServers();
  if (missing.length === 0) return;
  const install = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!isExecutableInPath('apt-get')) {
    const needs = missing.map((name) =>
      name === 'postgresql' ? "PostgreSQL's server programs in /usr/lib/postgresql/*/bin" : 'etcd',
    );
    stop(`setup: missing: ${needs.join(' and ')}. This system has no apt-get; install them its own way.`);
  }
  const prefix = privilege();
  if (prefix === undefined) {
    stop(
      `setup: ${missing.join(' and ')} must be installed, and that needs root. Run this, then try again:\n\n  sudo apt-get update && sudo ${install}\n`,
    );
  }
  say(`setup: installing Debian packages: ${missing.join(' ')}`);
  const [program, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq'];
  const hint = `could not install; try by hand: ${install}`;
  run(program, [...rest, 'update'], hint);
  run(program, [...rest, 'install', '-y', '--no-install-recommends', ...missing], hint);
  if (missingServers().length > 0)
    stop(`setup: ${missingServers().join(' and ')} installed, but the programs are not there`);
}

/**
 * Installs the clients that are missing, where that may be done without asking. Tests of those that are not there are
 * skipped, and say so: a machine that has no Debian packages is no failure.
 */
export function installClients() {
  const missing = Object.keys(CLIENTS).filter((name) => !existsSync(CLIENTS[name]));
  const prefix = isExecutableInPath('apt-get') ? privilege() : undefined;
  if (missing.length === 0 || prefix === undefined) return;
  say(`setup: installing Debian packages: ${missing.join(' ')}`);
  const apt = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq'];
  const [program, ...rest] = [...prefix, ...apt];
  const isUpdated = spawnSync(program, [...rest, 'update'], { stdio: ['ignore', 2, 2] }).status === 0;
  const install = [...rest, 'install', '-y', '--no-install-recommends', ...missing];
  if (isUpdated && spawnSync(program, install, { stdio: ['ignore', 2, 2] }).status === 0) return;
  say('setup: could not install them; the tests of these clients will be skipped');
}

function missingServers() {
  return PACKAGES.filter((name) => (name === 'postgresql' ? !hasPostgres() : !hasEtcd()));
}

/** What to put before a command to run it as root; undefined when that is not allowed without asking. */
function privilege() {
  if (process.getuid?.() === 0) return [];
  const allowed =
    isExecutableInPath('sudo') && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
  return allowed ? ['sudo', '-n'] : undefined;
}

function hasPostgres() {
  const root = '/usr/lib/postgresql';
  return (
    existsSync(root) &&
    readdirSync(root).some((version) => isExecutable(join(root, version, 'bin', 'initdb')))
  );
}

function hasEtcd() {
  return isExecutableInPath('etcd') || isExecutable('/usr/bin/etcd') || isExecutable('/usr/local/bin/etcd');
}

function isExecutableInPath(program) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.some((folder) => isExecutable(join(folder, program)));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function build() {
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  run(tsc, ['-p', join(ROOT, 'tsconfig.json')], 'the build failed; see the messages above', 1);
}

/** Output goes to standard error: a step of the setup is not the result that was asked for. */
function run(program, args, hint, exit = UNAVAILABLE) {
  const { status, error } = spawnSync(program, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (error !== undefined) stop(`setup: cannot run ${program}: ${error.message}`);
  if (status !== 0) stop(`setup: ${hint}`, exit);
}

function stop(message, exit = UNAVAILABLE) {
  say(message);
  process.exit(exit);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) setup();
