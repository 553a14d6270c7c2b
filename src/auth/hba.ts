/**
 * Host rules in the format of pg_hba.conf: who may come from where, to which database, and how they prove who they are.
 * The first rule that fits decides; without one a client is refused. Whatever a rule could mean that is not carried out
 * here (a method, a group, a name that needs DNS) is a problem of its line: a rule that is silently not applied is an
 * open door. Manual: "The pg_hba.conf File".
 */
import { isInRange, parseIp, parseRange, type Range } from './ip.ts';
import { splitLines, type Word, type WordLine } from './words.ts';

export type HbaMethod = 'trust' | 'reject' | 'scram-sha-256' | 'md5' | 'password' | 'cert';

export interface HbaRule {
  readonly line: number;
  readonly type: 'local' | 'host' | 'hostssl' | 'hostnossl';
  readonly databases: readonly Word[];
  readonly users: readonly Word[];
  /** Undefined: every address. */
  readonly range: Range | undefined;
  readonly method: HbaMethod;
  /** The client must show a certificate; `verify-full`: of its own name. */
  readonly clientCert: 'verify-ca' | 'verify-full' | undefined;
  readonly map: string | undefined;
}

/** Who comes, and how. `address` is undefined on a Unix socket. */
export interface Attempt {
  readonly address: string | undefined;
  readonly isTls: boolean;
  readonly database: string;
  readonly user: string;
  readonly isReplication: boolean;
}

export interface RuleProblem {
  readonly line: number;
  readonly message: string;
}

const METHODS: readonly HbaMethod[] = ['trust', 'reject', 'scram-sha-256', 'md5', 'password', 'cert'];
const TYPES = ['local', 'host', 'hostssl', 'hostnossl'] as const;

/** All rules, or all that is wrong with them. */
export function parseHba(text: string): {
  readonly rules: readonly HbaRule[];
  readonly problems: readonly RuleProblem[];
} {
  const rules: HbaRule[] = [];
  const problems: RuleProblem[] = [];
  for (const line of splitLines(text)) {
    const rule = parseRule(line);
    if (typeof rule === 'string') problems.push({ line: line.line, message: rule });
    else rules.push(rule);
  }
  return { rules, problems };
}

/** The first rule that fits. */
export function matchHba(rules: readonly HbaRule[], attempt: Attempt): HbaRule | undefined {
  const address = attempt.address === undefined ? undefined : parseIp(attempt.address);
  return rules.find(
    (rule) =>
      fitsConnection(rule, attempt) &&
      (rule.range === undefined || (address !== undefined && isInRange(address, rule.range))) &&
      rule.databases.some((word) => isDatabase(word, attempt)) &&
      rule.users.some((word) => isAll(word) || word.text === attempt.user),
  );
}

function fitsConnection({ type }: HbaRule, { address, isTls }: Attempt): boolean {
  if (address === undefined) return type === 'local';
  return type === 'host' || type === (isTls ? 'hostssl' : 'hostnossl');
}

/** As PostgreSQL: `all` is not replication; of physical replication only the keyword is. */
function isDatabase(word: Word, { database, user, isReplication }: Attempt): boolean {
  if (isReplication) return !word.isQuoted && word.text === 'replication';
  if (isAll(word)) return true;
  if (!word.isQuoted && word.text === 'replication') return false;
  return !word.isQuoted && word.text === 'sameuser' ? database === user : word.text === database;
}

function isAll({ text, isQuoted }: Word): boolean {
  return text === 'all' && !isQuoted;
}

function parseRule({ line, fields, isBroken }: WordLine): HbaRule | string {
  if (isBroken) return 'a quote is not closed';
  const [typeField, databases, users, ...more] = fields;
  const typeWord = typeField?.[0]?.text ?? '';
  const type = TYPES.find((known) => known === typeWord);
  if (type === undefined) return unknownType(typeWord);
  if (databases === undefined || users === undefined) return 'database, user and method are missing';
  const unsupported = unsupportedName(databases, users);
  if (unsupported !== undefined) return unsupported;
  const place = type === 'local' ? { range: undefined, rest: more } : readAddress(more);
  if (typeof place === 'string') return place;
  const [methodField, ...optionFields] = place.rest;
  const method = readMethod(methodField?.[0]?.text, type);
  if (typeof method === 'object') return method.problem;
  const options = readOptions(optionFields.flat());
  if (typeof options === 'string') return options;
  if (options.map !== undefined && method !== 'cert' && options.clientCert !== 'verify-full')
    return 'map= is for the method cert and for clientcert=verify-full';
  if (options.clientCert !== undefined && type !== 'hostssl') return 'clientcert= is for hostssl rules only';
  return { line, type, databases, users, range: place.range, method, ...options };
}

function unknownType(word: string): string {
  if (word.startsWith('include')) return `${word} is not supported: name one file`;
  if (word.includes('gssenc')) return `${word} is not supported: there is no GSSAPI encryption here`;
  return `unknown connection type "${word}": expected ${TYPES.join(', ')}`;
}

function unsupportedName(databases: readonly Word[], users: readonly Word[]): string | undefined {
  for (const { text, isQuoted } of [...databases, ...users]) {
    if (isQuoted) continue;
    if (text.startsWith('@')) return `${text}: lists of names in files are not supported`;
    if (text.startsWith('/')) return `${text}: regular expressions are not supported`;
    if (text.startsWith('+')) return `${text}: the router does not know who is a member of a role`;
    if (text === 'samerole' || text === 'samegroup')
      return `${text}: the router does not know who is a member of a role`;
  }
  return undefined;
}

type Fields = readonly (readonly Word[])[];

function readAddress([first, second, ...rest]: Fields):
  | { readonly range: Range | undefined; readonly rest: Fields }
  | string {
  const word = first?.[0]?.text;
  if (word === undefined || second === undefined) return 'address and method are missing';
  if (word === 'all') return { range: undefined, rest: [second, ...rest] };
  if (word === 'samehost' || word === 'samenet') return `${word} is not supported: give the address`;
  const hasLength = word.includes('/');
  const range = hasLength ? parseRange(word) : parseRange(word, second[0]?.text ?? '');
  if (range !== undefined) return { range, rest: hasLength ? [second, ...rest] : rest };
  if (hasLength) return `"${word}" is not a range of addresses such as 10.0.0.0/8`;
  if (parseIp(word) !== undefined) return `"${word}" needs a length (${word}/32) or a mask`;
  return `"${word}" is not an address: names of hosts are not looked up`;
}

function readMethod(
  word: string | undefined,
  type: HbaRule['type'],
): HbaMethod | { readonly problem: string } {
  if (word === undefined) return { problem: 'the method is missing' };
  if (word === 'peer' || word === 'ident') {
    const problem = `${word} is not supported: Node.js does not tell who is on the other side of a Unix socket`;
    return { problem };
  }
  const method = METHODS.find((known) => known === word);
  if (method === undefined) return { problem: `unknown method "${word}": expected ${METHODS.join(', ')}` };
  if (method === 'cert' && type !== 'hostssl') return { problem: 'cert is for hostssl rules only' };
  return method;
}

function readOptions(words: readonly Word[]): Pick<HbaRule, 'clientCert' | 'map'> | string {
  let clientCert: HbaRule['clientCert'];
  let map: string | undefined;
  for (const { text } of words) {
    const [name = '', value = ''] = text.split('=', 2);
    if (name === 'map' && value !== '') map = value;
    else if (name === 'clientcert' && (value === 'verify-ca' || value === 'verify-full')) clientCert = value;
    else return `unknown option "${text}": expected map=NAME or clientcert=verify-ca or verify-full`;
  }
  return { clientCert, map };
}
