/**
 * Before a unit runs prepared statements whose columns its client knows, on a connection that has them not, or not under
 * the settings or definitions of when they were prepared: are the columns still those? PostgreSQL would refuse the statement
 * ("cached plan must not change result type"), and drivers that keep descriptions count on it. Where the router cannot tell,
 * the server is asked first, which costs one round trip after such a change and no more. Pure.
 *
 *     same -> the unit is sent        other -> its Bind is made to fail, with PostgreSQL's words
 *     unknown -> Parse and Describe of our own, then the unit is placed again
 */
import { type ErrorFields, FRONTEND, isHead, readBindFormats, SQLSTATE } from '../wire/index.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';
import type { Statement } from './statement.ts';
import type { Unit } from './unit.ts';

const CHANGED: ErrorFields = {
  severity: 'ERROR',
  code: SQLSTATE.featureNotSupported,
  message: 'cached plan must not change result type',
  // JDBC prepares anew by this.
  routine: 'RevalidateCachedQuery',
};

export class ShapeCheck {
  readonly #session: Session;
  #asked: { readonly link: Link; readonly statement: Statement } | undefined = undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** True: the server is asked, and the unit is to be placed again after its answer. */
  isAwaited(link: Link): boolean {
    const { unit, prepared, planningKey, standing } = this.#session;
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked?.link === link) this.#judge(link, asked.statement);
    if (unit.kind !== 'batch' || unit.misfit !== undefined || standing.status === 'E') return false;
    for (let index = 0; index < unit.statements.length; index += 1) {
      const statement = unit.statements[index];
      if (statement === undefined || statement.name === '' || !statement.isKept) continue;
      const message = unit.messages.at(index);
      if (message?.[0] !== FRONTEND.Bind) continue;
      prepared.nameFor(statement, planningKey);
      const isStale = prepared.isOfEarlier(statement);
      const verdict = link.statements.compare(statement, isStale);
      if (
        verdict === 'same' ||
        isMiscounted(message, link.statements.columns.parametersOf(statement.firstName))
      )
        continue;
      switch (verdict) {
        case 'other':
          if (unit.describes) prepared.refresh(statement);
          else misfit(unit, statement, CHANGED);
          return false;
        case 'unknown':
          // It is told the columns anew.
          if (unit.describes) {
            prepared.refresh(statement);
            continue;
          }
          this.#asked = { link, statement };
          link.statements.lookAt(statement);
          return true;
      }
    }
    return false;
  }

  #judge(link: Link, statement: Statement): void {
    const { unit } = this.#session;
    const { ownError } = link;
    link.ownError = undefined;
    if (ownError !== undefined) misfit(unit, statement, ownError);
    else if (!link.statements.isAsKnown(statement)) misfit(unit, statement, CHANGED);
  }
}

/** A Bind with another number of values than there are parameters is refused for that before the columns are compared. */
function isMiscounted(message: Buffer, parameters: number | undefined): boolean {
  if (parameters === undefined || isHead(message)) return false;
  return readBindFormats(message).parameters !== parameters;
}

function misfit(unit: Unit, statement: Statement, because: ErrorFields): void {
  unit.misfit = statement;
  unit.misfitBecause = because;
}
