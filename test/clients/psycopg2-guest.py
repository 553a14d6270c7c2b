"""psycopg 2: libpq with the simple query protocol; parameters are put into the text by the client."""
import io
import select
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import psycopg2.extensions
import psycopg2.pool
from guest import DATABASE, HOST, PASSWORD, PORT, TLS_MODE, TYPES, USER, WRONG, play


def connection(**more):
    given = {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "dbname": DATABASE, "sslmode": "disable"}
    return psycopg2.connect(**{**given, **more})


def one(conn, text, values=None):
    with conn.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall()


def connect():
    conn = connection()
    print(one(conn, "SELECT current_user, current_database()"))
    print(conn.server_version, conn.encoding, conn.get_parameter_status("standard_conforming_strings"))
    for wrong in ({"password": "wrong"}, {"user": "nobody"}, {"dbname": "nowhere"}):
        try:
            connection(**wrong)
        except psycopg2.OperationalError as cause:
            print(str(cause).partition("FATAL")[2].strip())
    conn.close()


def tls():
    conn = connection(sslmode=TLS_MODE)
    print(one(conn, "SELECT 'over the wire', current_user"), conn.info.ssl_in_use == (TLS_MODE == "require"))
    conn.close()


def types():
    conn = connection()
    with conn.cursor() as cursor:
        cursor.execute(TYPES)
        row = cursor.fetchone()
        for column, value in zip(cursor.description, row):
            shown = bytes(value) if isinstance(value, memoryview) else value
            print(column.name, column.type_code, repr(shown))
    conn.close()


def parameters():
    conn = connection()
    print(one(conn, "SELECT %s, %s, %s, %s", (42, "it's", None, [1, 2, 3])))
    print(one(conn, "SELECT id, name FROM item WHERE id = ANY(%s) ORDER BY id", ([1, 5, 999],)))
    conn.close()


def transactions():
    conn = connection()
    with conn.cursor() as cursor:
        cursor.execute("INSERT INTO note (id, body) VALUES (1, 'kept')")
        conn.commit()
        cursor.execute("INSERT INTO note (id, body) VALUES (2, 'lost')")
        print(one(conn, "SELECT id, body FROM note ORDER BY id"))
        conn.rollback()
        print(conn.info.transaction_status)
        cursor.execute("SELECT id, body FROM note ORDER BY id FOR UPDATE")
        print(cursor.fetchall(), conn.info.transaction_status)
        try:
            cursor.execute("SELECT 1/0")
        except psycopg2.Error as cause:
            print(cause.pgcode, conn.info.transaction_status)
        try:
            cursor.execute("SELECT 1")
        except psycopg2.Error as cause:
            print(cause.pgcode)
        conn.rollback()
        cursor.execute("DELETE FROM note")
        print(cursor.rowcount, cursor.statusmessage)
        conn.commit()
        conn.set_session(readonly=True)
        print(one(conn, "SELECT count(*) FROM item"))
        try:
            cursor.execute("DELETE FROM note")
        except psycopg2.Error as cause:
            print(cause.pgcode, str(cause).strip())
        conn.rollback()
        conn.set_session(isolation_level="SERIALIZABLE", readonly=False)
        print(one(conn, "SHOW transaction_isolation"))
        conn.rollback()
    conn.close()


def savepoints():
    conn = connection()
    with conn.cursor() as cursor:
        cursor.execute("INSERT INTO note (id) VALUES (1)")
        cursor.execute("SAVEPOINT here")
        try:
            cursor.execute("INSERT INTO note (id) VALUES (1)")
        except psycopg2.Error as cause:
            print(cause.pgcode)
        cursor.execute("ROLLBACK TO here")
        cursor.execute("INSERT INTO note (id) VALUES (2)")
        cursor.execute("RELEASE here")
        print(one(conn, "SELECT id FROM note ORDER BY id"))
        conn.rollback()
    conn.close()


def prepared():
    conn = connection()
    conn.autocommit = True
    one(conn, "SELECT 1")
    with conn.cursor() as cursor:
        cursor.execute("PREPARE by_id (int) AS SELECT name FROM item WHERE id = $1")
        print(cursor.statusmessage)
        print([one(conn, "EXECUTE by_id (%s)", (id,))[0][0] for id in range(1, 101)])
        cursor.execute("DEALLOCATE by_id")
        print(cursor.statusmessage)
        try:
            cursor.execute("EXECUTE by_id (1)")
        except psycopg2.Error as cause:
            print(cause.pgcode)
    conn.close()


def errors():
    conn = connection()
    conn.autocommit = True
    for text in WRONG:
        try:
            one(conn, text)
        except psycopg2.Error as cause:
            diag = cause.diag
            print(type(cause).__name__, cause.pgcode, diag.severity, diag.message_primary, diag.message_detail,
                  diag.message_hint, diag.statement_position, diag.constraint_name, diag.table_name)
    with conn.cursor() as cursor:
        cursor.execute("DO $$ BEGIN RAISE NOTICE 'seen %', 1; RAISE WARNING 'warned'; END $$")
    print(conn.notices)
    conn.close()


def large():
    conn = connection()
    big = "x" * (4 * 1024 * 1024)
    print(one(conn, "SELECT length(%s), md5(%s)", (big, big)))
    print(len(one(conn, "SELECT repeat('y', 8 * 1024 * 1024)")[0][0]))
    print(sum(row[0] for row in one(conn, "SELECT g FROM generate_series(1, 100000) g")))
    conn.close()


def copy():
    conn = connection()
    with conn.cursor() as cursor:
        cursor.copy_expert("COPY note (id, body) FROM STDIN", io.StringIO("".join(f"{n}\tn{n}\n" for n in range(5000))))
        print(cursor.rowcount, one(conn, "SELECT count(*), sum(id) FROM note"))
        out = io.StringIO()
        cursor.copy_expert("COPY (SELECT id, body FROM note ORDER BY id LIMIT 5) TO STDOUT (FORMAT csv, HEADER)", out)
        print(repr(out.getvalue()))
        conn.rollback()
        for text, data in (("COPY note (id) FROM STDIN", "1\nx\n"), ("COPY no_such_table FROM STDIN", "1\n")):
            try:
                cursor.copy_expert(text, io.StringIO(data))
            except psycopg2.Error as cause:
                print(cause.pgcode, cause.diag.context)
            conn.rollback()
    print(one(conn, "SELECT 1"))
    conn.close()


def listen():
    conn, other = connection(), connection()
    conn.autocommit = other.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute("LISTEN news")
    with other.cursor() as cursor:
        cursor.execute("NOTIFY news, 'one'; NOTIFY news, 'two'")
    while len(conn.notifies) < 2:
        if not select.select([conn], [], [], 20)[0]:
            break
        conn.poll()
    print([(each.channel, each.payload) for each in conn.notifies])
    conn.close()
    other.close()


def cancel():
    conn = connection()
    done = threading.Event()

    def canceller():
        while not done.wait(0.3):
            conn.cancel()

    thread = threading.Thread(target=canceller)
    thread.start()
    try:
        one(conn, "SELECT pg_sleep(30)")
    except psycopg2.Error as cause:
        print(type(cause).__name__, cause.pgcode)
    finally:
        done.set()
        thread.join()
    conn.rollback()
    print(one(conn, "SELECT 'usable'"))
    conn.close()


def cursors():
    conn = connection()
    with conn.cursor("portions") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT id FROM item ORDER BY id")
        print(len(cursor.fetchmany(10)), sum(row[0] for row in cursor))
    with conn.cursor("scrolling", scrollable=True) as cursor:
        cursor.execute("SELECT id FROM item ORDER BY id")
        cursor.scroll(500)
        print(cursor.fetchone())
        cursor.scroll(-100)
        print(cursor.fetchone())
    conn.rollback()
    held = conn.cursor("held", withhold=True)
    held.execute("SELECT id FROM item ORDER BY id LIMIT 20")
    conn.commit()
    print(held.fetchmany(3), held.fetchmany(3))
    held.close()
    conn.close()


def pool():
    shared = psycopg2.pool.ThreadedConnectionPool(
        1, 8, host=HOST, port=PORT, user=USER, password=PASSWORD, dbname=DATABASE)

    def work(n):
        conn = shared.getconn()
        try:
            with conn:
                return one(conn, "SELECT name FROM item WHERE id = %s", (n % 1000 + 1,))[0][0]
        finally:
            shared.putconn(conn)

    with ThreadPoolExecutor(8) as threads:
        print(list(threads.map(work, range(200))))
    shared.closeall()


play({"connect": connect, "tls": tls, "types": types, "parameters": parameters, "transactions": transactions,
      "savepoints": savepoints, "prepared": prepared, "errors": errors, "large": large, "copy": copy, "listen": listen,
      "cancel": cancel, "cursors": cursors, "pool": pool})
