"""psycopg 3: libpq's extended protocol, automatic prepared statements and pipelines."""
import threading

import psycopg
from guest import DATABASE, HOST, PASSWORD, PORT, TLS_MODE, TYPES, USER, WRONG, play


def connection(**more):
    given = {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "dbname": DATABASE, "sslmode": "disable"}
    return psycopg.connect(**{**given, **more})


def connect():
    with connection() as conn:
        print(conn.execute("SELECT current_user, current_database()").fetchall())
        print(conn.info.server_version, conn.info.encoding, conn.info.parameter_status("integer_datetimes"))
    for wrong in ({"password": "wrong"}, {"user": "nobody"}, {"dbname": "nowhere"}):
        try:
            connection(**wrong)
        except psycopg.OperationalError as cause:
            print(str(cause).partition("FATAL")[2].strip())
    with connection(application_name="guest", options="-c work_mem=5MB -c search_path=pg_catalog") as conn:
        print(conn.execute("SHOW work_mem").fetchall(), conn.execute("SHOW search_path").fetchall())


def tls():
    with connection(sslmode=TLS_MODE) as conn:
        print(conn.execute("SELECT 'over the wire', current_user").fetchall())
        print(conn.pgconn.ssl_in_use == (TLS_MODE == "require"))


def types():
    with connection() as conn:
        conn.execute("SET TimeZone TO 'Europe/Bucharest'")
        for binary in (False, True):
            cursor = conn.execute(TYPES, binary=binary)
            for column, value in zip(cursor.description, cursor.fetchone()):
                print(column.name, column.type_code, repr(value))


def parameters():
    with connection() as conn:
        print(conn.execute("SELECT %s::int, %s::text, %b::int8, %t::text, %s::int[]", (42, "it's", 7, None, [1, 2])).fetchall())
        print(conn.execute("SELECT id, name FROM item WHERE id = ANY(%s) ORDER BY id", ([1, 5, 999],)).fetchall())
        cursor = conn.cursor()
        cursor.executemany("INSERT INTO note (id, body) VALUES (%s, %s) RETURNING id", [(n, str(n)) for n in range(50)],
                           returning=True)
        seen = [cursor.fetchone()[0]]
        while cursor.nextset():
            seen.append(cursor.fetchone()[0])
        print(seen)
        conn.rollback()


def transactions():
    with connection(autocommit=True) as conn:
        with conn.transaction():
            conn.execute("INSERT INTO note (id, body) VALUES (1, 'kept')")
        try:
            with conn.transaction():
                conn.execute("INSERT INTO note (id, body) VALUES (2, 'lost')")
                print(conn.execute("SELECT id FROM note ORDER BY id").fetchall())
                conn.execute("SELECT 1/0")
        except psycopg.Error as cause:
            print(cause.sqlstate, conn.info.transaction_status)
        with conn.transaction():
            print(conn.execute("SELECT id, body FROM note FOR UPDATE").fetchall())
        print(conn.execute("DELETE FROM note").statusmessage)
        conn.read_only = True
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with conn.transaction():
            print(conn.execute("SELECT count(*) FROM item").fetchall(), conn.execute("SHOW transaction_isolation").fetchall())
            try:
                with conn.transaction():
                    conn.execute("DELETE FROM note")
            except psycopg.Error as cause:
                print(cause.sqlstate, str(cause))
            print(conn.execute("SELECT 1").fetchall())


def savepoints():
    with connection() as conn:
        conn.execute("INSERT INTO note (id) VALUES (1)")
        for id in (1, 2):
            try:
                with conn.transaction():
                    conn.execute("INSERT INTO note (id) VALUES (%s)", (id,))
            except psycopg.Error as cause:
                print(cause.sqlstate)
        print(conn.execute("SELECT id FROM note ORDER BY id").fetchall())
        conn.rollback()


def prepared():
    with connection(autocommit=True) as conn:
        conn.prepare_threshold = 0
        print([conn.execute("SELECT name FROM item WHERE id = %s", (n,)).fetchone()[0] for n in range(1, 201)])
        conn.prepared_max = 3
        for n in range(30):
            print(conn.execute(f"SELECT %s::int + {n % 7}", (n,)).fetchone()[0], end=" ")
        print()
        conn.execute("CREATE TEMP TABLE changing (a int)")
        conn.execute("INSERT INTO changing VALUES (1)")
        print(conn.execute("SELECT * FROM changing WHERE a = %s", (1,)).fetchall())
        conn.execute("ALTER TABLE changing ADD b text DEFAULT 'new'")
        try:
            print(conn.execute("SELECT * FROM changing WHERE a = %s", (1,)).fetchall())
        except psycopg.Error as cause:
            print(cause.sqlstate, cause)
        print(conn.execute("SELECT * FROM changing WHERE a = %s", (1,), prepare=False).fetchall())


def errors():
    with connection(autocommit=True) as conn:
        conn.add_notice_handler(lambda diag: print(diag.severity, diag.message_primary))
        for text in WRONG:
            try:
                conn.execute(text)
            except psycopg.Error as cause:
                diag = cause.diag
                print(type(cause).__name__, cause.sqlstate, diag.severity, diag.message_primary, diag.message_detail,
                      diag.message_hint, diag.statement_position, diag.constraint_name, diag.table_name)
        conn.execute("DO $$ BEGIN RAISE NOTICE 'seen %', 1; RAISE WARNING 'warned'; END $$")


def large():
    with connection() as conn:
        big = "x" * (4 * 1024 * 1024)
        print(conn.execute("SELECT length(%s), md5(%s)", (big, big)).fetchall())
        print(len(conn.execute("SELECT repeat('y', 8 * 1024 * 1024)").fetchone()[0]))
        print(sum(row[0] for row in conn.execute("SELECT g FROM generate_series(1, 100000) g").fetchall()))


def copy():
    with connection() as conn:
        with conn.cursor().copy("COPY note (id, body) FROM STDIN") as into:
            for n in range(5000):
                into.write_row((n, f"n{n}"))
        print(conn.execute("SELECT count(*), sum(id) FROM note").fetchall())
        with conn.cursor().copy("COPY (SELECT id, body FROM note ORDER BY id LIMIT 3) TO STDOUT") as out:
            print(list(out.rows()))
        with conn.cursor().copy("COPY (SELECT id, body FROM note ORDER BY id LIMIT 3) TO STDOUT (FORMAT binary)") as out:
            out.set_types(["int4", "text"])
            print(list(out.rows()))
        conn.rollback()
        for text, data in (("COPY note (id) FROM STDIN", "1\nx\n"), ("COPY no_such_table FROM STDIN", "1\n")):
            try:
                with conn.cursor().copy(text) as into:
                    into.write(data)
            except psycopg.Error as cause:
                print(cause.sqlstate, cause.diag.context)
            conn.rollback()
        try:
            with conn.cursor().copy("COPY note (id) FROM STDIN") as into:
                into.write("1\n")
                raise ValueError("given up by the client")
        except (psycopg.Error, ValueError) as cause:
            print(type(cause).__name__)
        conn.rollback()
        print(conn.execute("SELECT 1").fetchall())


def listen():
    with connection(autocommit=True) as conn, connection(autocommit=True) as other:
        conn.execute("LISTEN news")
        other.execute("NOTIFY news, 'one'")
        other.execute("SELECT pg_notify('news', 'two')")
        seen = []
        for each in conn.notifies():
            seen.append((each.channel, each.payload))
            if len(seen) == 2:
                break
        print(seen)


def cancel():
    with connection() as conn:
        done = threading.Event()

        def canceller():
            while not done.wait(0.3):
                conn.cancel()

        thread = threading.Thread(target=canceller)
        thread.start()
        try:
            conn.execute("SELECT pg_sleep(30)")
        except psycopg.Error as cause:
            print(type(cause).__name__, cause.sqlstate)
        finally:
            done.set()
            thread.join()
        conn.rollback()
        print(conn.execute("SELECT 'usable'").fetchall())


def cursors():
    with connection() as conn:
        with conn.cursor("portions") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT id FROM item WHERE id > %s ORDER BY id", (10,))
            print(len(cursor.fetchmany(10)), sum(row[0] for row in cursor))
        conn.rollback()
        with conn.cursor("held", withhold=True) as held:
            held.execute("SELECT id FROM item ORDER BY id LIMIT 20")
            conn.commit()
            print(held.fetchmany(3), held.fetchmany(3))
        print(sum(row[0] for row in conn.cursor().stream("SELECT g FROM generate_series(1, 5000) g")))


def pipeline():
    with connection(autocommit=True) as conn:
        with conn.pipeline():
            cursors = [conn.execute("SELECT %s::int, name FROM item WHERE id = %s", (n, n + 1)) for n in range(100)]
            print([cursor.fetchone() for cursor in cursors])
        # Whether a statement or the end of the block raises it depends on how soon the answer comes.
        try:
            with conn.pipeline():
                conn.execute("SELECT 'before'")
                conn.execute("SELECT 1/%s::int", (0,))
                conn.execute("SELECT 'skipped'")
        except psycopg.Error as cause:
            print(type(cause).__name__, cause.sqlstate, conn.info.transaction_status)
        print(conn.execute("SELECT 'after'").fetchone())
        with conn.pipeline():
            with conn.transaction():
                conn.execute("INSERT INTO note (id) VALUES (1)")
                cursor = conn.execute("SELECT count(*) FROM note")
            print(cursor.fetchone())
        print(conn.execute("DELETE FROM note").statusmessage, conn.info.transaction_status)


play({"connect": connect, "tls": tls, "types": types, "parameters": parameters, "transactions": transactions,
      "savepoints": savepoints, "prepared": prepared, "errors": errors, "large": large, "copy": copy, "listen": listen,
      "cancel": cancel, "cursors": cursors, "pipeline": pipeline})
