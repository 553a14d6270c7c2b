/**
 * What is asked of a database's catalogue, and how the answers are read. PostgreSQL's own dependencies tell what a view, a
 * policy, a check of a domain or an aggregate leads to; but they leave out what is built in, so calls of built-in functions
 * are read from the stored trees, by the fields that name functions (`funcid` and its kin). Any role may ask all of it, of
 * any version from 13 on; names are qualified, since a role has a search_path of its own.
 */
import { type CatalogRows, HARMFUL_BUILTINS, LEAVES_STATE } from '../sql/index.ts';
import { MatriarchError } from '../base/index.ts';
import type { ErrorFields } from '../wire/index.ts';

/** Texts; undefined is NULL. */
export type Row = readonly (string | undefined)[];

/** Why the catalogue could not be read. */
export function catalogFailure(because: ErrorFields | string): MatriarchError {
  const said = typeof because === 'string' ? because : `${because.code} ${because.message}`;
  return new MatriarchError('router-no-server', `catalogue: ${said}`);
}

/** Objects of PostgreSQL's own have lower ones. */
const FIRST_OID = 16_384;

/** One transaction for all, so that the answers are of one moment; waits for no lock, and for no disk where it notifies. */
export const BEGIN_READING = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
export const END_READING = 'COMMIT';

/** What sessions have for themselves changes all the time, and is nobody else's affair. */
const NOT_OF_SESSIONS = String.raw`n.nspname !~ '^pg_(temp|toast)'`;

/**
 * Another answer means that definitions may have changed: the sums of the transactions that have last written each row. A
 * VACUUM or ANALYZE does not change them.
 */
export const FINGERPRINT = `SELECT pg_catalog.concat_ws('/', ${[
  `pg_catalog.pg_namespace c WHERE c.nspname !~ '^pg_(temp|toast)'`,
  `pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid >= ${FIRST_OID} AND c.relkind NOT IN ('i', 'I', 't') AND ${NOT_OF_SESSIONS}`,
  `pg_catalog.pg_type c JOIN pg_catalog.pg_namespace n ON n.oid = c.typnamespace
    WHERE c.oid >= ${FIRST_OID} AND ${NOT_OF_SESSIONS}`,
  ...[
    'proc',
    'operator',
    'cast',
    'rewrite',
    'policy',
    'constraint',
    'opclass',
    'amproc',
    'amop',
    'trigger',
    'attrdef',
    'event_trigger',
    'statistic_ext',
  ].map((name) => `pg_catalog.pg_${name} c WHERE c.oid >= ${FIRST_OID}`),
  'pg_catalog.pg_inherits c',
  'pg_catalog.pg_db_role_setting c',
  // An index may be added, and an attribute be given a type, without a change of the row of what it is of.
  `pg_catalog.pg_index c JOIN pg_catalog.pg_class r ON r.oid = c.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
    WHERE c.indexrelid >= ${FIRST_OID} AND (c.indexprs IS NOT NULL OR c.indpred IS NOT NULL) AND ${NOT_OF_SESSIONS}`,
  `pg_catalog.pg_attribute c JOIN pg_catalog.pg_class r ON r.oid = c.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
    WHERE c.attrelid >= ${FIRST_OID} AND c.atttypid >= ${FIRST_OID} AND ${NOT_OF_SESSIONS}`,
]
  .map((from) => `(SELECT pg_catalog.concat(count(*), ':', sum(c.xmin::text::bigint)) FROM ${from})`)
  .join(', ')}, (SELECT pg_catalog.md5(pg_catalog.string_agg(r.rolname, ',' ORDER BY r.oid))
    FROM pg_catalog.pg_roles r WHERE r.oid IN (SELECT setrole FROM pg_catalog.pg_db_role_setting)),
  (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path'))`;

const SCHEMAS = `
SELECT nspname, EXISTS (SELECT FROM pg_catalog.aclexplode(COALESCE(nspacl, pg_catalog.acldefault('n', nspowner))) a
  WHERE a.grantee = 0 AND a.privilege_type = 'USAGE')
FROM pg_catalog.pg_namespace`;

const FUNCTIONS = `
SELECT 'f' || p.oid, n.nspname, p.proname, p.pronargs, p.pronargdefaults, p.provariadic <> 0,
  EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = p.proargtypes[0] AND t.typtype IN ('c', 'd', 'p'))
    OR EXISTS (SELECT FROM pg_catalog.pg_cast k JOIN pg_catalog.pg_type t ON t.oid = k.castsource
      WHERE k.castcontext = 'i' AND k.casttarget = p.proargtypes[0] AND t.typtype = 'c'),
  p.provolatile = 'v', l.lanname NOT IN ('c', 'internal') AND p.prokind <> 'a'
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.oid >= ${FIRST_OID} AND p.prokind <> 'p' AND ${NOT_OF_SESSIONS}`;

const RELATIONS = `
SELECT 'r' || c.oid, n.nspname, c.relname, c.relkind, c.relpersistence = 'u',
  c.relkind = 'v' AND EXISTS (SELECT FROM pg_catalog.pg_rewrite w
    WHERE w.ev_class = c.oid AND w.ev_type = '1' AND w.ev_action::text LIKE '%:hasForUpdate true%')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind NOT IN ('i', 'I', 't', 'c') AND ${NOT_OF_SESSIONS}`;

const TYPES = `
SELECT 't' || t.oid, n.nspname, t.typname
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE ${NOT_OF_SESSIONS}`;

/**
 * With those of the types of its operands that a value has only if it is of that type. What is of a domain's base type, or of the
 * source of an implicit cast, is as good; a literal without a type for one of text; and an anonymous row for a composite type,
 * unless PostgreSQL has an operator of anonymous rows itself.
 */
const OPERATORS = `
WITH simple AS (
  SELECT oid, typtype, typelem, typcategory FROM pg_catalog.pg_type t WHERE oid >= ${FIRST_OID} AND typtype NOT IN ('d', 'p')
    AND typcategory <> 'S' AND NOT typispreferred
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_cast WHERE casttarget = t.oid AND castcontext = 'i' AND castsource <> t.oid)
), strict AS (
  SELECT oid, typtype <> 'c' AS is_scalar FROM simple t WHERE typcategory <> 'A' OR typelem IN (SELECT oid FROM simple)
), of_rows AS (
  SELECT oprname FROM pg_catalog.pg_operator WHERE oprleft = 'pg_catalog.record'::pg_catalog.regtype AND oprright = oprleft
)
SELECT 'o' || o.oid, n.nspname, o.oprname, pg_catalog.concat_ws(' ', 't' || l.oid, 't' || r.oid)
FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  LEFT JOIN strict l ON l.oid = o.oprleft AND (l.is_scalar OR o.oprname IN (SELECT oprname FROM of_rows))
  LEFT JOIN strict r ON r.oid = o.oprright AND (r.is_scalar OR o.oprname IN (SELECT oprname FROM of_rows))
WHERE o.oid >= ${FIRST_OID}
UNION ALL SELECT '', 'pg_catalog', oprname, CASE WHEN pg_catalog.bool_or(oprleft <> 0 AND oprright <> 0) THEN 'binary' ELSE '' END
FROM pg_catalog.pg_operator WHERE oid < ${FIRST_OID} GROUP BY oprname`;

/** bool, int4, int8. */
const OF_CONDITIONS = 'casttarget IN (16, 23, 20)';

/**
 * With the types that a statement must have to do with for the cast to happen. That it has to do with a type is known of
 * types that are not built in, and of those that it names, as an explicit cast does. What is left may happen anywhere: a
 * condition, a LIMIT or a subscript casts as an assignment does. What makes JSON (to_json, json_agg, JSON_ARRAY ...) casts to
 * it, in whatever context, any value that it is given, in views too: so every read of a type with such a cast counts. Where
 * something is written to, a cast for assignments happens without being named.
 */
const CASTS = `
SELECT 'f' || castfunc, ${castNeeds(`(castcontext = 'e' OR castcontext = 'a' AND NOT ${OF_CONDITIONS})`)},
  ${castNeeds(`castcontext = 'e'`)}
FROM pg_catalog.pg_cast WHERE oid >= ${FIRST_OID} AND castfunc <> 0`;

function castNeeds(isNamed: string): string {
  return `pg_catalog.concat_ws(' ',
  CASE WHEN castsource >= ${FIRST_OID} AND (casttarget < ${FIRST_OID} OR ${isNamed}) THEN 't' || castsource END,
  CASE WHEN (casttarget >= ${FIRST_OID} OR ${isNamed}) AND casttarget <> 'pg_catalog.json'::pg_catalog.regtype
    THEN 't' || casttarget END)`;
}

/** Catalogues of which pg_depend speaks as of relations. */
const OF_RELATIONS: ReadonlySet<string> = new Set(['pg_index']);

/** Catalogues of what is evaluated when a relation is written to: their oid, and the relation's. */
const WRITTEN_WITH: readonly (readonly [
  catalog: string,
  oid: string,
  relation: string,
  condition?: string,
])[] = [
  ['pg_attrdef', 'oid', 'adrelid'],
  ['pg_constraint', 'oid', 'conrelid', 'AND x.conrelid <> 0'],
  ['pg_index', 'indexrelid', 'indrelid'],
  ['pg_policy', 'oid', 'polrelid'],
  ['pg_rewrite', 'oid', 'ev_class'],
  // ANALYZE computes them.
  ['pg_statistic_ext', 'oid', 'stxrelid'],
  ['pg_trigger', 'oid', 'tgrelid', 'AND NOT x.tgisinternal'],
];

/**
 * Of an operator class a read calls what sorts and hashes. What an index calls beside that gets to it by pointers and is C, which
 * reads, whatever it is declared: PostGIS leaves it VOLATILE.
 */
const EDGES = `
WITH dep AS (
  SELECT DISTINCT classid, objid, CASE refclassid
      WHEN 'pg_catalog.pg_class'::regclass THEN 'r' WHEN 'pg_catalog.pg_proc'::regclass THEN 'f'
      WHEN 'pg_catalog.pg_type'::regclass THEN 't' ELSE 'o' END AS kind, refobjid, objsubid > 0 AS is_column
  FROM pg_catalog.pg_depend
  WHERE objid >= ${FIRST_OID} AND refclassid IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass,
    'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_operator'::regclass)
), called AS (
  SELECT m.amprocfamily, m.amproc FROM pg_catalog.pg_amproc m JOIN pg_catalog.pg_opfamily f ON f.oid = m.amprocfamily
    JOIN pg_catalog.pg_am a ON a.oid = f.opfmethod JOIN pg_catalog.pg_proc p ON p.oid = m.amproc
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE a.amname IN ('btree', 'hash') OR l.lanname NOT IN ('c', 'internal')
)
SELECT 'f' || objid, kind || refobjid FROM dep WHERE classid = 'pg_catalog.pg_proc'::regclass
UNION ALL SELECT 't' || objid, kind || refobjid FROM dep
  WHERE classid = 'pg_catalog.pg_type'::regclass AND kind IN ('f', 't')
UNION ALL SELECT 'o' || objid, kind || refobjid FROM dep
  WHERE classid = 'pg_catalog.pg_operator'::regclass AND kind IN ('f', 't')
UNION ALL SELECT 'r' || objid, 't' || refobjid FROM dep
  WHERE classid = 'pg_catalog.pg_class'::regclass AND kind = 't' AND is_column
UNION ALL SELECT 't' || c.reltype, 't' || refobjid FROM dep JOIN pg_catalog.pg_class c ON c.oid = objid
  WHERE classid = 'pg_catalog.pg_class'::regclass AND kind = 't' AND is_column AND c.reltype <> 0
UNION ALL SELECT 'r' || oid, 't' || reltype FROM pg_catalog.pg_class
  WHERE reltype >= ${FIRST_OID} AND relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL SELECT 't' || refobjid, 't' || objid FROM pg_catalog.pg_depend
  WHERE classid = 'pg_catalog.pg_type'::regclass AND refclassid = classid AND deptype = 'i' AND objid >= ${FIRST_OID}
UNION ALL SELECT 'r' || w.ev_class, kind || refobjid FROM dep JOIN pg_catalog.pg_rewrite w ON w.oid = objid
  JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
  WHERE classid = 'pg_catalog.pg_rewrite'::regclass AND c.relkind = 'v' AND w.ev_type = '1'
    AND (kind <> 'r' OR refobjid <> c.oid)
UNION ALL SELECT 'r' || c.oid, kind || refobjid FROM dep JOIN pg_catalog.pg_policy p ON p.oid = objid
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  WHERE classid = 'pg_catalog.pg_policy'::regclass AND c.relrowsecurity AND p.polcmd IN ('r', '*')
    AND (kind <> 'r' OR refobjid <> c.oid)
UNION ALL SELECT 't' || k.contypid, kind || refobjid FROM dep JOIN pg_catalog.pg_constraint k ON k.oid = objid
  WHERE classid = 'pg_catalog.pg_constraint'::regclass AND k.contypid <> 0 AND (kind <> 't' OR refobjid <> k.contypid)
UNION ALL ${writingEdges()}
UNION ALL SELECT 'r' || inhparent, 'r' || inhrelid FROM pg_catalog.pg_inherits
UNION ALL SELECT ${classKey()}, 'f' || m.amproc::oid
  FROM pg_catalog.pg_opclass c JOIN called m ON m.amprocfamily = c.opcfamily WHERE c.oid >= ${FIRST_OID}
UNION ALL SELECT ${classKey()}, 'o' || m.amopopr
  FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_amop m ON m.amopfamily = c.opcfamily WHERE c.oid >= ${FIRST_OID}
UNION ALL SELECT 'd', 'f' || amproc::oid FROM called m WHERE amproc >= ${FIRST_OID} AND (amprocfamily < ${FIRST_OID}
  OR EXISTS (SELECT FROM pg_catalog.pg_amop o WHERE o.amopfamily = m.amprocfamily AND o.amopopr < ${FIRST_OID}))
UNION ALL SELECT 'o' || o.amopopr, 'f' || m.amproc::oid
  FROM pg_catalog.pg_amop o JOIN called m ON m.amprocfamily = o.amopfamily
  WHERE o.amopopr >= ${FIRST_OID} AND m.amproc >= ${FIRST_OID}
UNION ALL SELECT 'o' || oid, 'o' || pg_catalog.unnest(ARRAY[oprcom, oprnegate]) FROM pg_catalog.pg_operator WHERE oid >= ${FIRST_OID}`;

/**
 * To write to a relation (`w` and its oid) is to read it, and to run its triggers, rules, defaults, checks, index expressions
 * and policies; to write to its children, to what a view is of, and to what a foreign key cascades to.
 */
function writingEdges(): string {
  const ofDependents = WRITTEN_WITH.map(
    ([catalog, oid, relation, condition = '']) =>
      `SELECT 'w' || x.${relation}, kind || refobjid FROM dep JOIN pg_catalog.${catalog} x ON x.${oid} = objid
        WHERE classid = 'pg_catalog.${OF_RELATIONS.has(catalog) ? 'pg_class' : catalog}'::regclass AND kind <> 'r' ${condition}`,
  );
  return [
    ...ofDependents,
    `SELECT 'w' || oid, 'r' || oid FROM pg_catalog.pg_class WHERE oid >= ${FIRST_OID} AND relkind IN ('r', 'p', 'v', 'f')`,
    `SELECT 'ddl', 'f' || evtfoid FROM pg_catalog.pg_event_trigger`,
    `SELECT 'w' || x.polrelid, kind || refobjid FROM dep JOIN pg_catalog.pg_policy x ON x.oid = objid
      WHERE classid = 'pg_catalog.pg_policy'::regclass AND kind = 'r' AND refobjid <> x.polrelid`,
    `SELECT 'w' || inhparent, 'w' || inhrelid FROM pg_catalog.pg_inherits`,
    // By the key of a table a row finds its partition; one that is written to that by its name must belong there, too.
    `SELECT 'w' || partrelid, 'p' || partrelid FROM pg_catalog.pg_partitioned_table`,
    `SELECT 'w' || inhrelid, 'p' || inhparent FROM pg_catalog.pg_inherits`,
    `SELECT 'p' || inhrelid, 'p' || inhparent FROM pg_catalog.pg_inherits`,
    `SELECT 'p' || objid, kind || refobjid FROM dep JOIN pg_catalog.pg_partitioned_table x ON x.partrelid = objid
      WHERE classid = 'pg_catalog.pg_class'::regclass AND kind <> 'r'`,
    // TRUNCATE ... CASCADE, whatever the foreign keys say of rows.
    ...['w', 'x'].map(
      (key) =>
        `SELECT 'x' || confrelid, '${key}' || conrelid FROM pg_catalog.pg_constraint WHERE contype = 'f'`,
    ),
    `SELECT 'x' || inhparent, 'x' || inhrelid FROM pg_catalog.pg_inherits`,
    `SELECT 'w' || confrelid, 'w' || conrelid FROM pg_catalog.pg_constraint
      WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))`,
    `SELECT 'w' || x.ev_class, 'w' || refobjid FROM dep JOIN pg_catalog.pg_rewrite x ON x.oid = objid
      WHERE classid = 'pg_catalog.pg_rewrite'::regclass AND kind = 'r' AND refobjid <> x.ev_class`,
  ].join('\nUNION ALL ');
}

/** What an aggregate calls; of what is built in pg_depend says nothing. */
const OF_AGGREGATES = `SELECT 'f' || aggfnoid::oid, pg_catalog.unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn,
    aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn])::oid FROM pg_catalog.pg_aggregate WHERE aggfnoid >= ${FIRST_OID}`;

/** What calls a function that leaves something in the session: among what is written to, and in what is called. */
const LEAVE_STATE = `
WITH trees AS (
  SELECT 'w' || adrelid AS key, adbin::text AS tree FROM pg_catalog.pg_attrdef WHERE oid >= ${FIRST_OID}
  UNION ALL SELECT CASE contypid WHEN 0 THEN 'w' || conrelid ELSE 't' || contypid END, conbin::text
    FROM pg_catalog.pg_constraint WHERE oid >= ${FIRST_OID} AND conbin IS NOT NULL
  UNION ALL SELECT 'w' || tgrelid, tgqual::text FROM pg_catalog.pg_trigger WHERE tgqual IS NOT NULL
  UNION ALL SELECT 'w' || indrelid, pg_catalog.concat(indexprs::text, indpred::text) FROM pg_catalog.pg_index WHERE indexrelid >= ${FIRST_OID}
  UNION ALL SELECT 't' || oid, typdefaultbin::text FROM pg_catalog.pg_type WHERE oid >= ${FIRST_OID} AND typdefaultbin IS NOT NULL
  UNION ALL SELECT 'w' || stxrelid, pg_catalog.to_jsonb(s) ->> 'stxexprs' FROM pg_catalog.pg_statistic_ext s
  UNION ALL SELECT 'w' || polrelid, pg_catalog.concat(polqual::text, polwithcheck::text) FROM pg_catalog.pg_policy
  UNION ALL SELECT CASE ev_type WHEN '1' THEN 'r' ELSE 'w' END || ev_class, pg_catalog.concat(ev_qual::text, ev_action::text)
    FROM pg_catalog.pg_rewrite WHERE oid >= ${FIRST_OID}
  UNION ALL SELECT 'f' || oid, proargdefaults::text FROM pg_catalog.pg_proc WHERE oid >= ${FIRST_OID} AND proargdefaults IS NOT NULL
), called AS (
  SELECT DISTINCT key, (pg_catalog.regexp_matches(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\\d+)', 'g'))[1]::oid AS oid FROM trees
  UNION ALL ${OF_AGGREGATES}
)
SELECT DISTINCT key FROM called JOIN pg_catalog.pg_proc p USING (oid)
WHERE p.oid < ${FIRST_OID} AND p.proname ~ '${LEAVES_STATE.source}'`;

const CALLS = `
WITH harmful AS (
  SELECT oid, proname FROM pg_catalog.pg_proc WHERE oid < ${FIRST_OID}
    AND (provolatile = 'v' OR proname = ANY ('{${HARMFUL_BUILTINS.join(',')}}') OR proname LIKE 'pg\\_stat\\_get\\_%')
), trees AS (
  SELECT 'r' || w.ev_class AS key, w.ev_action::text AS tree
    FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
    WHERE w.oid >= ${FIRST_OID} AND c.relkind = 'v' AND w.ev_type = '1'
  UNION ALL SELECT 'r' || p.polrelid, p.polqual::text
    FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
    WHERE c.relrowsecurity AND p.polcmd IN ('r', '*')
  UNION ALL SELECT 't' || contypid, conbin::text FROM pg_catalog.pg_constraint WHERE contypid >= ${FIRST_OID}
  UNION ALL SELECT 'f' || oid, proargdefaults::text
    FROM pg_catalog.pg_proc WHERE oid >= ${FIRST_OID} AND proargdefaults IS NOT NULL
  UNION ALL SELECT 'f' || p.oid, pg_catalog.to_jsonb(p) ->> 'prosqlbody'
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.oid >= ${FIRST_OID} AND l.lanname = 'sql'
), called AS (
  SELECT key, (pg_catalog.regexp_matches(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\\d+)', 'g'))[1]::oid AS oid FROM trees
  UNION ALL SELECT 'o' || oid, oprcode::oid FROM pg_catalog.pg_operator WHERE oid >= ${FIRST_OID}
  UNION ALL SELECT 'f' || castfunc, castfunc FROM pg_catalog.pg_cast WHERE oid >= ${FIRST_OID}
  UNION ALL ${OF_AGGREGATES}
)
SELECT DISTINCT key, proname FROM called JOIN harmful USING (oid)`;

/** The most special first: of the role here, of the role, of all here, of all; then as the server is configured. */
const STARTS = `
SELECT COALESCE(r.rolname, ''), pg_catalog.split_part(c.setting, '=', 1), pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1),
  CASE WHEN s.setrole <> 0 THEN 0 ELSE 2 END + CASE WHEN s.setdatabase <> 0 THEN 0 ELSE 1 END
FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c(setting)
WHERE pg_catalog.split_part(c.setting, '=', 1) IN ('search_path', 'role') AND (s.setrole = 0 OR r.rolname IS NOT NULL)
  AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
UNION ALL SELECT '', name, reset_val, 4 FROM pg_catalog.pg_settings
  WHERE name = 'search_path' AND source NOT IN ('user', 'database user', 'client', 'session')
ORDER BY 4`;

/** Sorting and grouping call the functions of the type's operator class. */
function classKey(): string {
  return `CASE WHEN c.opcintype >= ${FIRST_OID} THEN 't' || c.opcintype ELSE 'd' END`;
}

/** In the order of the answers that `readCatalog` takes. */
export const CATALOG_QUERIES = [
  SCHEMAS,
  FUNCTIONS,
  RELATIONS,
  TYPES,
  OPERATORS,
  CASTS,
  EDGES,
  CALLS,
  LEAVE_STATE,
  STARTS,
] as const;

export function readCatalog(answers: readonly (readonly Row[])[]): CatalogRows {
  const [schemas, functions, relations, types, operators, casts, edges, calls, leaveState, starts] = answers;
  return {
    schemas: rowsOf(schemas, ([name = '', isOpen]) => ({ name, isOpen: isOpen === 't' })),
    functions: rowsOf(functions, ([key = '', schema = '', name = '', args, defaults, ...flags]) => {
      const [isVariadic, takesRow, isVolatile, isCode] = flags.map((flag) => flag === 't');
      return {
        key,
        schema,
        name,
        args: Number(args),
        defaults: Number(defaults),
        isVariadic: isVariadic ?? false,
        takesRow: takesRow ?? true,
        isVolatile: isVolatile ?? true,
        isCode: isCode ?? true,
      };
    }),
    relations: rowsOf(relations, ([key = '', schema = '', name = '', kind = '', isUnlogged, locksRows]) => ({
      key,
      schema,
      name,
      kind,
      isUnlogged: isUnlogged === 't',
      locksRows: locksRows === 't',
    })),
    types: rowsOf(types, ([key = '', schema = '', name = '']) => ({ key, schema, name })),
    operators: rowsOf(operators, ([key = '', schema = '', name = '', operands = '']) => ({
      key,
      schema,
      name,
      operands: wordsOf(operands),
    })),
    casts: rowsOf(casts, ([key = '', needs = '', needsInWrites = '']) => ({
      key,
      needs: wordsOf(needs),
      needsInWrites: wordsOf(needsInWrites),
    })),
    edges: rowsOf(edges, ([from = '', to = '']) => [from, to] as const),
    calls: rowsOf(calls, ([key = '', name = '']) => [key, name] as const),
    leaveState: rowsOf(leaveState, ([key = '']) => key),
    starts: rowsOf(starts, ([role = '', name, text = '']) => ({
      role,
      name: name === 'role' ? 'role' : 'search_path',
      text,
    })),
  };
}

const wordsOf = (text: string): readonly string[] => (text === '' ? [] : text.split(' '));

function rowsOf<Value>(rows: readonly Row[] | undefined, read: (row: Row) => Value): readonly Value[] {
  return rows?.map(read) ?? [];
}
