/** Under which definitions and search_path the statements of a session are looked at. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type CatalogNow, Definitions } from '../../../src/router/definitions.ts';
import { NO_SETTINGS, type Settings, settingsAfter } from '../../../src/router/settings.ts';
import { loadClassifier, Resolvers } from '../../../src/sql/index.ts';
import { aCatalog } from '../../support/a-catalog.ts';

const classifier = await loadClassifier();

class TestCatalog implements CatalogNow {
  isOff = false;
  resolvers: Resolvers | undefined = new Resolvers(aCatalog());
  generation = 0;
  readUpTo = 0;
  changes = 0;
  changed = (): number => (this.changes += 1);
  doubted = (): void => undefined;
}

function because(
  definitions: Definitions,
  sql: string,
  settings: Settings = NO_SETTINGS,
  isPathKnown = true,
): string {
  return definitions.resolve(classifier.classify(sql), [], isPathKnown ? settings : undefined).because;
}

function after(sets: readonly string[]): Settings {
  return sets
    .flatMap((sql) => classifier.classify(sql).settings)
    .reduce((settings, statement) => settingsAfter(settings, statement, NO_SETTINGS), NO_SETTINGS);
}

it('a session that has changed definitions goes to the primary until they were read again', () => {
  const catalog = new TestCatalog();
  const [own, other] = [new Definitions(catalog, { user: 'app' }), new Definitions(catalog, { user: 'app' })];
  assert.equal(because(own, 'SELECT harmless(1)'), 'only-reads');
  own.changed();
  assert.equal(because(own, 'SELECT harmless(1)'), 'catalog-not-read');
  assert.equal(because(own, 'SELECT 1'), 'only-reads');
  assert.equal(because(other, 'SELECT harmless(1)'), 'only-reads');
  catalog.readUpTo = 1;
  catalog.resolvers = new Resolvers(aCatalog({ functions: [] }));
  assert.equal(because(own, 'SELECT harmless(1)'), 'function-not-known');
});

it('a write may run unseen code from when any client has changed definitions until they were read again', () => {
  const catalog = new TestCatalog();
  const other = new Definitions(catalog, { user: 'app' });
  const insert = classifier.classify('INSERT INTO t VALUES (1)');
  const alone = new Definitions(catalog, { user: 'app', isSessionMode: true });
  const runsUnseen = (): boolean => other.resolve(insert, [], NO_SETTINGS).runsUnseen === true;
  assert.equal(runsUnseen(), false);
  catalog.changed();
  assert.equal(runsUnseen(), true);
  assert.equal(alone.resolve(insert, [], NO_SETTINGS).runsUnseen, undefined);
  catalog.readUpTo = 1;
  assert.equal(runsUnseen(), false);
});

it('nothing is known before the first reading, and texts count where none is read', () => {
  const catalog = new TestCatalog();
  catalog.resolvers = undefined;
  const definitions = new Definitions(catalog, { user: 'app' });
  assert.equal(because(definitions, 'SELECT * FROM t'), 'catalog-not-read');
  catalog.isOff = true;
  assert.equal(because(definitions, 'SELECT * FROM t'), 'only-reads');
  assert.equal(because(definitions, 'SELECT harmless(1)'), 'function-not-known');
});

it('the search_path that a session has begun with counts before its role’s, and a reset goes back to it', () => {
  const sql = 'SELECT * FROM t';
  const begun = new Definitions(new TestCatalog(), { user: 'app', startPath: 'side, public' });
  const asRole = new Definitions(new TestCatalog(), { user: 'special' });
  assert.notEqual(because(begun, sql), because(new Definitions(new TestCatalog(), { user: 'app' }), sql));
  assert.equal(because(begun, sql), because(asRole, sql));
  assert.equal(
    because(begun, sql, after(['SET search_path = public', 'RESET search_path'])),
    because(asRole, sql),
  );
});

it('"$user" in it is the role that the session has begun in', () => {
  const sql = 'SELECT * FROM t';
  const began = new Definitions(new TestCatalog(), { user: 'app', startRole: 'side' });
  // Whether the role that the catalogue names is in force is not known: it may be in any schema.
  const mayBegin = new Definitions(new TestCatalog(), { user: 'in_side' });
  for (const definitions of [began, mayBegin]) {
    assert.equal(because(definitions, sql), 'relation-unlogged');
    for (const text of ['SET ROLE NONE', 'SET SESSION AUTHORIZATION app'])
      assert.equal(because(definitions, sql, after([text])), 'only-reads', text);
    assert.equal(because(definitions, sql, after(['SET ROLE NONE', 'RESET ROLE'])), 'relation-unlogged');
  }
});

it('the search_path is that of the session: set, reset, of its role, or unknown', () => {
  const definitions = new Definitions(new TestCatalog(), { user: 'app' });
  const sql = 'SELECT * FROM t';
  assert.equal(because(definitions, sql), 'only-reads');
  assert.equal(because(definitions, sql, after(['SET search_path = side, public'])), 'relation-unlogged');
  assert.equal(
    because(definitions, sql, after(['SET search_path = side', 'RESET search_path'])),
    'only-reads',
  );
  assert.equal(
    because(definitions, sql, after(['SET ROLE side', 'SET search_path = "$user"'])),
    'relation-unlogged',
  );
  assert.equal(because(definitions, sql, after(['SET ROLE side'])), 'relation-unlogged');
  assert.equal(because(definitions, sql, after(['SET ROLE side', 'RESET ROLE'])), 'only-reads');
  assert.equal(because(definitions, sql, after(['SET SESSION AUTHORIZATION side'])), 'relation-unlogged');
  assert.equal(because(definitions, sql, NO_SETTINGS, false), 'relation-unlogged');
  assert.equal(because(new Definitions(new TestCatalog(), { user: 'special' }), sql), 'relation-unlogged');
});
