// Makes a checkout ready to run: Node's version, npm packages, Debian's PostgreSQL and etcd, the build. Plain Node,
// because it runs before anything is installed. It installs what is missing and nothing twice, downloads from npm's
// and Debian's registries only, and never starts, stops or uses services of the distribution.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Debian's packages, how to see that their programs are there, and what these are for systems without apt-get. */
const SERVERS = [
  {
    name: 'postgresql',
    isPresent: hasPostgres,
    what: "PostgreSQL's server programs in /usr/lib/postgresql/*/bin",
  },
  { name: 'etcd-server', isPresent: hasEtcd, what: 'etcd' },
];
/** Exit status when something outside the checkout is missing; as EXIT.unavailable of the command. */
const UNAVAILABLE = 3;

/** Runs every step; ends the process with a message when one cannot be done. */
export function setup() {
  checkNode();
  installNpmPackages();
  installPackages(SERVERS);
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

/** Installs Debian's packages whose programs are missing; ends the process with what to do when it may not. */
export function installPackages(packages) {
  const missing = packages.filter(({ isPresent }) => !isPresent());
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const install = `apt-get install -y --no-install-recommends ${names.join(' ')}`;
  if (!isExecutableInPath('apt-get')) {
    const needs = missing.map(({ what }) => what);
    stop(`setup: missing: ${needs.join(' and ')}. This system has no apt-get; install them its own way.`);
  }
  const prefix = privilege();
  if (prefix === undefined) {
    stop(
      `setup: ${names.join(' and ')} must be installed, and that needs root. Run this, then try again:\n\n  sudo apt-get update && sudo ${install}\n`,
    );
  }
  say(`setup: installing Debian packages: ${names.join(' ')}`);
  const [program, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'sh', '-ec', INSTALL];
  run(program, [...rest, 'setup', ...names], `could not install; try by hand: ${install}`);
  const absent = missing.filter(({ isPresent }) => !isPresent()).map(({ name }) => name);
  if (absent.length > 0) stop(`setup: ${absent.join(' and ')} installed, but the programs are not there`);
}

/** While it installs, a policy forbids to start the packages' services, unless the machine has a policy of its own. */
const INSTALL = `
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
apt-get -qq update
apt-get -qq install -y --no-install-recommends "$@"
`;

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

export function isExecutable(path) {
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
