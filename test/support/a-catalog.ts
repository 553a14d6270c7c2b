/** A database's definitions as values, for tests: one of each kind, in the schemas public and side. */
import { NO_ROWS } from '../../src/sql/catalog-rows.ts';
import { CatalogFacts, type CatalogRows } from '../../src/sql/index.ts';

type FunctionRow = CatalogRows['functions'][number];

export function aFunction(key: string, name: string, changes: Partial<FunctionRow> = {}): FunctionRow {
  return {
    key,
    schema: 'public',
    name,
    args: 1,
    defaults: 0,
    isVariadic: false,
    takesRow: false,
    isVolatile: false,
    isCode: false,
    ...changes,
  };
}

const relation = (key: string, name: string, kind = 'r', schema = 'public', isUnlogged = false) => ({
  key,
  schema,
  name,
  kind,
  isUnlogged,
  locksRows: false,
});

const type = (key: string, name: string, schema = 'public') => ({ key, schema, name });

export const SOME_ROWS: CatalogRows = {
  ...NO_ROWS,
  schemas: [
    { name: 'pg_catalog', isOpen: true },
    { name: 'public', isOpen: true },
    { name: 'side', isOpen: true },
    { name: 'closed', isOpen: false },
  ],
  functions: [
    aFunction('f1', 'harmless'),
    aFunction('f2', 'writing', { isVolatile: true }),
    aFunction('f3', 'either'),
    aFunction('f4', 'either', { args: 2, isVolatile: true }),
    aFunction('f5', 'many', { args: 2, isVariadic: true, isVolatile: true }),
    aFunction('f6', 'several', { args: 3, defaults: 2 }),
    aFunction('f7', 'harmless', { schema: 'side', isVolatile: true }),
    aFunction('f8', 'coded', { isCode: true }),
    aFunction('f9', 'of_row', { takesRow: true, isVolatile: true }),
    aFunction('f10', 'lower', { isVolatile: true, schema: 'side' }),
    aFunction('f11', 'summing', { isCode: false }),
    aFunction('f12', 'total', { isVolatile: true }),
    aFunction('f13', 'json_query', { args: 3, isVolatile: true }),
    aFunction('f14', 'json_object', { schema: 'side', isVolatile: true }),
  ],
  relations: [
    relation('r1', 't'),
    relation('r2', 'unlogged', 'r', 'public', true),
    relation('r3', 'far', 'f'),
    relation('r4', 'seq', 'S'),
    relation('r5', 'over_t', 'v'),
    relation('r6', 'over_unlogged', 'v'),
    relation('r7', 'over_over', 'v'),
    relation('r8', 'locking', 'v'),
    relation('r9', 't', 'r', 'side', true),
    relation('r10', 't', 'r', 'closed', true),
    relation('r11', 'over_activity', 'v'),
    relation('r12', 'pg_stat_activity', 'v', 'pg_catalog'),
    relation('r13', 'pg_class', 'r', 'pg_catalog'),
    relation('r14', 'pairs'),
    relation('r15', 'parent', 'p'),
    relation('r16', 'child', 'r', 'side', true),
    relation('r17', 'numbering', 'v'),
    relation('r18', 'guarded'),
  ],
  types: [
    type('t1', 'pair'),
    type('t2', 'lucky'),
    type('t25', 'text', 'pg_catalog'),
    type('t23', 'int4', 'pg_catalog'),
  ],
  operators: [
    { key: 'o1', schema: 'public', name: '=', operands: ['t1', 't1'] },
    { key: 'o2', schema: 'public', name: '<!>', operands: [] },
    { key: 'o3', schema: 'public', name: '<+>', operands: ['t1', 't1'] },
    { key: 'o4', schema: 'public', name: '-', operands: ['t1'] },
    { key: 'o5', schema: 'public', name: '@', operands: ['t1', 't1'] },
    { key: '', schema: 'pg_catalog', name: '@', operands: [] },
    ...['=', '+', '-', '>', '<', '>=', '<='].map((name) => ({
      key: '',
      schema: 'pg_catalog',
      name,
      operands: ['binary'],
    })),
  ],
  casts: [{ key: 'f2', needs: ['t1', 't25'], needsInWrites: ['t1'] }],
  edges: [
    ['r5', 'r1'],
    ['r6', 'r2'],
    ['r7', 'r6'],
    ['r7', 'r5'],
    ['r11', 'r12'],
    ['r14', 't1'],
    ['r15', 'r16'],
    ['r18', 'f2'],
    ['t2', 'f2'],
    ['o1', 'f2'],
    ['o2', 'f2'],
    ['o3', 'f2'],
    ['o4', 'f2'],
    ['o5', 'f2'],
    ['f11', 'f2'],
  ],
  calls: [
    ['r8', 'pg_advisory_lock'],
    ['r17', 'nextval'],
  ],
  starts: [
    { role: 'in_side', name: 'role', text: 'side' },
    { role: 'special', name: 'search_path', text: 'side, public' },
    { role: '', name: 'search_path', text: '"$user", public' },
  ],
};

export function aCatalog(changes: Partial<CatalogRows> = {}): CatalogFacts {
  return new CatalogFacts({ ...SOME_ROWS, ...changes });
}
