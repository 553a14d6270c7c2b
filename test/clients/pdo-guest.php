<?php
// PHP's PDO: libpq; server-side prepared statements by default, text of the client's with emulation.

function connection(array $more = [], ?string $user = null, ?string $password = null): PDO
{
    $parts = $more + ['host' => getenv('PGHOST'), 'port' => getenv('PGPORT'), 'dbname' => getenv('PGDATABASE'), 'sslmode' => 'disable'];
    $source = 'pgsql:' . implode(';', array_map(fn ($key) => "$key={$parts[$key]}", array_keys($parts)));
    return new PDO($source, $user ?? getenv('PGUSER'), $password ?? getenv('PGPASSWORD'), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
}

function show(mixed ...$values): void
{
    echo implode(' ', array_map(fn ($value) => json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), $values)), "\n";
}

function ask(PDO $db, string $text, array $values = []): array
{
    $statement = $db->prepare($text);
    $statement->execute($values);
    return $statement->fetchAll(PDO::FETCH_ASSOC);
}

/** What PostgreSQL wrote of a message; before it stands where the client was connected. */
function refused(string $what, callable $work): void
{
    try {
        $work();
        show($what, 'not refused');
    } catch (PDOException $cause) {
        show($what, $cause->getCode(), preg_replace('/.*FATAL/s', 'FATAL', $cause->getMessage()));
    }
}

$wrong = [
    'SELEC 1', 'SELECT * FROM no_such_table', 'SELECT no_such_column FROM item', 'SELECT 1/0', "SELECT 'x'::int",
    "INSERT INTO item (id, name) VALUES (1, 'again')", 'INSERT INTO item (id, name) VALUES (-1, NULL)',
    'INSERT INTO note (id, item_id) VALUES (-1, -1)', 'SELECT no_such_function(1)',
    "DO $$ BEGIN RAISE EXCEPTION 'by hand' USING ERRCODE = 'MA001', DETAIL = 'a detail', HINT = 'a hint'; END $$",
];

$scenarios = [
    'connect' => function () {
        $db = connection();
        show(ask($db, 'SELECT current_user, current_database()'), $db->getAttribute(PDO::ATTR_SERVER_VERSION));
        refused('password', fn () => connection([], null, 'wrong'));
        refused('user', fn () => connection([], 'nobody'));
        refused('database', fn () => connection(['dbname' => 'nowhere']));
    },
    'tls' => function () {
        show(ask(connection(['sslmode' => getenv('CLIENT_SSLMODE')]), "SELECT 'over the wire', current_user"));
    },
    'types' => function () {
        $row = ask(connection(), "SELECT 1::int2 AS a, 2 AS b, 9007199254740993::int8 AS c, 1.5::float8 AS d, 12345.6789::numeric AS e,
            true AS f, 'äö€😀' AS g, '\\x00ff10'::bytea AS h, '2024-02-29'::date AS i, '{\"a\": [1, null]}'::jsonb AS j, '{1,2}'::int[] AS k, NULL AS l")[0];
        $row['h'] = bin2hex(stream_get_contents($row['h']));
        show($row);
    },
    'parameters' => function () {
        $db = connection();
        show(ask($db, 'SELECT ?::int AS a, ?::text AS b, ?::text AS c', [42, "it's", null]));
        show(ask($db, 'SELECT id, name FROM item WHERE id = ANY(:ids) ORDER BY id', ['ids' => '{1,5,999}']));
        $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, true);
        show(ask($db, 'SELECT ?::int AS a, ?::text AS b', [42, "it's"]));
    },
    'transactions' => function () {
        $db = connection();
        $db->beginTransaction();
        $db->exec("INSERT INTO note (id, body) VALUES (1, 'kept')");
        $db->commit();
        $db->beginTransaction();
        ask($db, 'INSERT INTO note (id, body) VALUES (?, ?)', [2, 'lost']);
        show(ask($db, 'SELECT id, body FROM note ORDER BY id'));
        $db->rollBack();
        $db->beginTransaction();
        show(ask($db, 'SELECT id, body FROM note ORDER BY id'), $db->inTransaction());
        refused('division', fn () => $db->exec('SELECT 1/0'));
        refused('aborted', fn () => $db->exec('SELECT 1'));
        $db->rollBack();
        show($db->exec('DELETE FROM note'), $db->inTransaction());
    },
    'savepoints' => function () {
        $db = connection();
        $db->beginTransaction();
        $db->exec('INSERT INTO note (id) VALUES (1)');
        $db->exec('SAVEPOINT here');
        refused('duplicate', fn () => $db->exec('INSERT INTO note (id) VALUES (1)'));
        $db->exec('ROLLBACK TO here');
        $db->exec('INSERT INTO note (id) VALUES (2)');
        $db->exec('RELEASE here');
        show(ask($db, 'SELECT id FROM note ORDER BY id'));
        $db->rollBack();
    },
    'prepared' => function () {
        $db = connection();
        $statement = $db->prepare('SELECT name FROM item WHERE id = ?');
        $names = [];
        for ($id = 1; $id <= 100; $id++) {
            $statement->execute([$id]);
            $names[] = $statement->fetchColumn();
        }
        show($names);
        $sums = [];
        for ($n = 0; $n < 40; $n++) $sums[] = ask($db, 'SELECT ?::int + ' . $n % 7 . ' AS sum', [$n])[0]['sum'];
        show($sums);
    },
    'errors' => function () use ($wrong) {
        $db = connection();
        foreach ($wrong as $text) refused($text, fn () => $db->exec($text));
        foreach (array_slice($wrong, 0, 5) as $text) refused($text, fn () => ask($db, $text));
        show(ask($db, "SELECT 'usable' AS it"));
    },
    'large' => function () {
        $db = connection();
        $big = str_repeat('x', 4 * 1024 * 1024);
        show(ask($db, 'SELECT length(?::text) AS a, md5(?::text) AS b', [$big, $big]));
        show(strlen(ask($db, "SELECT repeat('y', 8 * 1024 * 1024) AS a")[0]['a']));
        show(array_sum(array_column(ask($db, 'SELECT g FROM generate_series(1, 100000) g'), 'g')));
    },
    'copy' => function () {
        $db = connection();
        $db->beginTransaction();
        show($db->pgsqlCopyFromArray('note', array_map(fn ($n) => "$n\tn$n\t\\N\n", range(0, 4999))));
        show(ask($db, 'SELECT count(*), sum(id) FROM note'));
        // In the order of the table's pages, which is nobody's promise.
        $lines = $db->pgsqlCopyToArray('note');
        sort($lines);
        show(count($lines), array_slice($lines, 0, 3));
        $db->rollBack();
        refused('bad row', fn () => $db->pgsqlCopyFromArray('note', ["x\ty\t\\N\n"]));
        refused('no table', fn () => $db->pgsqlCopyFromArray('no_such_table', ["1\n"]));
        show(ask($db, "SELECT 'usable' AS it"));
    },
    'listen' => function () {
        $db = connection();
        $other = connection();
        $db->exec('LISTEN news');
        $other->exec("NOTIFY news, 'one'");
        $other->exec("NOTIFY news, 'two'");
        for ($seen = 0, $tries = 0; $seen < 2 && $tries < 100; $tries++) {
            $heard = $db->pgsqlGetNotify(PDO::FETCH_ASSOC, 200);
            if ($heard === false) continue;
            show($heard['message'], $heard['payload']);
            $seen++;
        }
    },
    'cursors' => function () {
        $db = connection();
        $db->beginTransaction();
        $statement = $db->prepare('SELECT id FROM item ORDER BY id', [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
        $statement->execute();
        show($statement->fetch(PDO::FETCH_NUM), $statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 500));
        show($statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_PRIOR), $statement->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST));
        $statement = null;
        $db->commit();
    },
];

foreach ($scenarios as $name => $work) {
    echo "## $name\n";
    try {
        $work();
    } catch (Throwable $cause) {
        echo 'unexpected: ', $cause->getMessage(), "\n";
    }
}
