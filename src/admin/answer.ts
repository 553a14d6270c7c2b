/** One command to its answer: rows, a tag, an error; or an order that the router is to carry out first. */
import { unreachable } from '../base/index.ts';
import type { AdminAccess } from './access.ts';
import type { AdminCommand } from './command.ts';
import type { AdminFacts, RouteFacts, RouteQuestion } from './facts.ts';
import { type AdminFailure, FAILURE } from './failures.ts';
import { HELP_TITLE, helpText } from './help.ts';
import { type AdminOrder, decideOrder } from './orders.ts';
import type { SessionParameters } from './parameters.ts';
import { ROUTE_COLUMNS, routeRows } from './route-tables.ts';
import { TABLES } from './show.ts';
import type { Cell, Column } from './table.ts';

export type Answer =
  | {
      readonly kind: 'rows';
      readonly columns: readonly Column[];
      readonly rows: readonly (readonly Cell[])[];
      readonly tag: string;
    }
  | { readonly kind: 'done'; readonly tag: string; readonly notice?: AdminNotice; readonly tell?: Told }
  /** `tag` answers it when it is done. */
  | {
      readonly kind: 'order';
      readonly order: AdminOrder;
      readonly tag: string;
      readonly notice?: AdminNotice;
    }
  | { readonly kind: 'failed'; readonly failure: AdminFailure };

interface AdminNotice {
  readonly message: string;
  readonly detail?: string;
}

/** A parameter that the client follows has changed. */
interface Told {
  readonly name: string;
  readonly value: string;
}

export interface AnswerContext {
  readonly facts: () => AdminFacts;
  readonly routeOf: (question: RouteQuestion) => RouteFacts;
  readonly user: string;
  readonly access: AdminAccess;
  readonly parameters: SessionParameters;
}

/** What `command` is answered with. A change of the session itself (transaction, prepared statements) is the caller's. */
export function answer(command: AdminCommand, context: AnswerContext): Answer {
  switch (command.kind) {
    case 'show': {
      const table = TABLES[command.shown];
      return { kind: 'rows', columns: table.columns, rows: table.rows(context.facts()), tag: 'SHOW' };
    }
    case 'route': {
      const { user = context.user, database = user, application = '' } = command.who;
      const route = context.routeOf({ sql: command.sql, user, database, applicationName: application });
      return { kind: 'rows', columns: ROUTE_COLUMNS, rows: routeRows(route), tag: 'SHOW' };
    }
    case 'help':
      return { kind: 'done', tag: 'SHOW', notice: { message: HELP_TITLE, detail: helpText() } };
    case 'fds':
      return { kind: 'failed', failure: FAILURE.fds() };
    case 'show-parameter': {
      const value = parameterValue(command.name, context);
      if (value === undefined) return { kind: 'failed', failure: FAILURE.unknownParameter(command.name) };
      return { kind: 'rows', columns: [parameterColumn(command.name)], rows: [[value]], tag: 'SHOW' };
    }
    case 'constant':
      return { kind: 'rows', columns: [CONSTANT], rows: [[command.value]], tag: 'SELECT 1' };
    case 'harmless':
    case 'deallocate':
      return { kind: 'done', tag: command.tag };
    case 'set': {
      const outcome = context.parameters.set(command.key, command.value);
      if (outcome.kind === 'ignored') return { kind: 'done', tag: 'SET', notice: { message: 'SET ignored' } };
      if (outcome.kind === 'unknown') return ordered(command, context);
      return outcome.tell === undefined
        ? { kind: 'done', tag: 'SET' }
        : { kind: 'done', tag: 'SET', tell: outcome.tell };
    }
    case 'database':
    case 'gate':
    case 'kill-client':
    case 'reload':
    case 'suspend':
    case 'shutdown':
      return ordered(command, context);
  }
  return unreachable(command);
}

/** The columns that a command will answer with; none: it answers with a tag only. Nothing is done. */
export function columnsOf(command: AdminCommand, context: AnswerContext): readonly Column[] | AdminFailure {
  switch (command.kind) {
    case 'show':
      return TABLES[command.shown].columns;
    case 'route':
      return ROUTE_COLUMNS;
    case 'constant':
      return [CONSTANT];
    case 'show-parameter':
      return parameterValue(command.name, context) === undefined
        ? FAILURE.unknownParameter(command.name)
        : [parameterColumn(command.name)];
    case 'help':
    case 'fds':
    case 'harmless':
    case 'deallocate':
    case 'set':
    case 'database':
    case 'gate':
    case 'kill-client':
    case 'reload':
    case 'suspend':
    case 'shutdown':
      return [];
  }
  return unreachable(command);
}

const CONSTANT: Column = { name: '?column?', type: 'int4' };

function parameterColumn(name: string): Column {
  return { name, type: 'text' };
}

/** Of the session, else of the router. */
function parameterValue(name: string, { parameters, facts }: AnswerContext): string | undefined {
  return parameters.get(name) ?? facts().config.find(({ key }) => key === name)?.value;
}

function ordered(command: Parameters<typeof decideOrder>[0], { facts, access }: AnswerContext): Answer {
  const decided = decideOrder(command, facts(), access);
  if (decided.kind === 'refused') return { kind: 'failed', failure: decided.failure };
  const { order, tag, notice } = decided;
  return notice === undefined
    ? { kind: 'order', order, tag }
    : { kind: 'order', order, tag, notice: { message: notice } };
}
