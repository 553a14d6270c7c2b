/**
 * Writes `src/sql/builtin-functions.ts` from the catalogue of a real PostgreSQL:
 *
 *     npm run build && node dist/scripts/builtin-functions.js postgres://user@host/postgres > /tmp/new.ts
 *
 * Views are classified with the tables that were compiled in, so build and run again until nothing changes.
 */
import { Client } from 'pg';
import { loadClassifier } from '../src/sql/index.ts';

/** A function counts by its name: it is harmless only if no overload of it is volatile. */
const FUNCTIONS = `
  SELECT CASE nspname WHEN 'pg_catalog' THEN proname ELSE nspname || '.' || proname END AS name,
         bool_or(provolatile = 'v') AS volatile
    FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace
   WHERE nspname IN ('pg_catalog', 'information_schema') AND prokind IN ('f', 'a', 'w')
     AND proname NOT LIKE 'pg\\_stat\\_get\\_%'
     AND NOT 'internal'::regtype = ANY (proargtypes) AND NOT 'cstring'::regtype = ANY (proargtypes)
     AND prorettype NOT IN ('internal'::regtype, 'cstring'::regtype, 'trigger'::regtype,
                            'event_trigger'::regtype, 'language_handler'::regtype)
   GROUP BY 1 ORDER BY 1`;

const SETTINGS = `
  SELECT lower(name) AS name FROM pg_settings
   WHERE context IN ('user', 'superuser', 'backend', 'superuser-backend') AND name <> 'transaction_read_only'
   ORDER BY 1`;

const VIEWS = `
  SELECT CASE schemaname WHEN 'pg_catalog' THEN viewname ELSE schemaname || '.' || viewname END AS name, definition
    FROM pg_views WHERE schemaname IN ('pg_catalog', 'information_schema') ORDER BY 1`;

const client = new Client(process.argv[2]);
await client.connect();
try {
  const functions = await client.query<{ name: string; volatile: boolean }>(FUNCTIONS);
  const settings = await client.query<{ name: string }>(SETTINGS);
  const views = await client.query<{ name: string; definition: string }>(VIEWS);
  const version = await client.query<{ server_version: string }>('SHOW server_version');
  const classifier = await loadClassifier();
  process.stdout.write(
    [
      heading(version.rows[0]?.server_version ?? 'unknown'),
      table(
        'HARMLESS_FUNCTIONS',
        'Functions of which every overload is stable or immutable.',
        functions.rows.filter((row) => !row.volatile),
      ),
      table(
        'VOLATILE_FUNCTIONS',
        'Functions of which an overload is volatile.',
        functions.rows.filter((row) => row.volatile),
      ),
      table(
        'SERVER_VIEWS',
        'Views that are no plain reads: their queries call functions that are not harmless.',
        views.rows.filter((row) => classifier.classify(row.definition).kind !== 'read'),
      ),
      table('SESSION_SETTINGS', 'Settings that a session can have its own value of.', settings.rows),
    ].join('\n'),
  );
} finally {
  await client.end();
}

function heading(version: string): string {
  return `/**
 * What PostgreSQL's own catalogue says, by name: which built-in functions are volatile, which system views call such,
 * which settings belong to a session. Generated from PostgreSQL ${version} by \`scripts/builtin-functions.ts\`;
 * do not edit. Names of \`pg_catalog\` stand bare, those of \`information_schema\` with their schema.
 */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\\s+/));
`;
}

function table(constant: string, comment: string, rows: readonly { readonly name: string }[]): string {
  const lines: string[] = [];
  let line = ' ';
  for (const { name } of rows) {
    if (line.length + 1 + name.length > 110) {
      lines.push(line);
      line = ' ';
    }
    line += ` ${name}`;
  }
  lines.push(line);
  return `/** ${comment} */\nexport const ${constant} = words(\`\n${lines.join('\n')}\n\`);\n`;
}
