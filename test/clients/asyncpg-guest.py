"""asyncpg: its own implementation of the protocol, binary, with prepared statements for everything."""
import asyncio
import io
import ssl
import time

import asyncpg
from guest import DATABASE, HOST, PASSWORD, PORT, TLS_MODE, TYPES, USER, WRONG, play_async


async def connection(**more):
    given = {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "database": DATABASE, "ssl": False}
    return await asyncpg.connect(**{**given, **more})


async def connect():
    conn = await connection()
    print(await conn.fetch("SELECT current_user, current_database()"))
    print(conn.get_server_version(), conn.get_settings().server_encoding)
    await conn.close()
    for wrong in ({"password": "wrong"}, {"user": "nobody"}, {"database": "nowhere"}):
        try:
            await connection(**wrong)
        except asyncpg.PostgresError as cause:
            print(type(cause).__name__, cause.sqlstate, cause)
    conn = await connection(server_settings={"work_mem": "5MB", "application_name": "guest"})
    print(await conn.fetchval("SHOW work_mem"), await conn.fetchval("SHOW application_name"))
    await conn.close()


async def tls():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    conn = await connection(ssl=context if TLS_MODE == "require" else False)
    print(await conn.fetch("SELECT 'over the wire' AS way, current_user"))
    await conn.close()


async def types():
    conn = await connection()
    for name, value in (await conn.fetchrow(TYPES)).items():
        print(name, repr(value))
    print(await conn.fetchrow("SELECT ROW(1, 'a') AS pair, int4range(1, 5) AS span, '127.0.0.1'::inet AS address, point(1, 2) AS p"))
    await conn.close()


async def parameters():
    conn = await connection()
    print(await conn.fetch("SELECT $1::int, $2::text, $3::int[], $4::jsonb", 42, None, [1, 2], '{"a": 1}'))
    print(await conn.fetch("SELECT id, name FROM item WHERE id = ANY($1) ORDER BY id", [1, 5, 999]))
    async with conn.transaction():
        await conn.executemany("INSERT INTO note (id, body) VALUES ($1, $2)", [(n, str(n)) for n in range(200)])
        print(await conn.fetchval("SELECT count(*) FROM note"), await conn.execute("DELETE FROM note"))
    await conn.close()


async def transactions():
    conn = await connection()
    async with conn.transaction():
        await conn.execute("INSERT INTO note (id, body) VALUES (1, 'kept')")
    try:
        async with conn.transaction():
            await conn.execute("INSERT INTO note (id, body) VALUES (2, 'lost')")
            await conn.execute("SELECT 1/0")
    except asyncpg.PostgresError as cause:
        print(cause.sqlstate, conn.is_in_transaction())
    async with conn.transaction(isolation="serializable"):
        print(await conn.fetch("SELECT id, body FROM note ORDER BY id"), await conn.fetchval("SHOW transaction_isolation"))
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        print(await conn.fetchval("SELECT count(*) FROM item"))
        try:
            async with conn.transaction():
                await conn.execute("DELETE FROM note")
        except asyncpg.PostgresError as cause:
            print(cause.sqlstate, cause)
    print(await conn.execute("DELETE FROM note"))
    await conn.close()


async def savepoints():
    conn = await connection()
    outer = conn.transaction()
    await outer.start()
    for id in (1, 1, 2):
        try:
            async with conn.transaction():
                await conn.execute("INSERT INTO note (id) VALUES ($1)", id)
        except asyncpg.UniqueViolationError as cause:
            print(cause.sqlstate, cause.constraint_name)
    print(await conn.fetch("SELECT id FROM note ORDER BY id"))
    await outer.rollback()
    await conn.close()


async def prepared():
    conn = await connection(statement_cache_size=5)
    statement = await conn.prepare("SELECT name FROM item WHERE id = $1")
    print(statement.get_parameters(), statement.get_attributes())
    print([await statement.fetchval(n) for n in range(1, 201)])
    print([await conn.fetchval(f"SELECT $1::int + {n % 9}", n) for n in range(50)])
    await conn.execute("CREATE TEMP TABLE changing (a int)")
    await conn.execute("INSERT INTO changing VALUES (1)")
    print(await conn.fetch("SELECT * FROM changing"))
    await conn.execute("ALTER TABLE changing ADD b text DEFAULT 'new'")
    print(await conn.fetch("SELECT * FROM changing"))
    await conn.close()


async def errors():
    conn = await connection()
    for text in WRONG:
        try:
            await conn.fetch(text)
        except asyncpg.PostgresError as cause:
            print(type(cause).__name__, cause.sqlstate, cause.severity, cause.message, cause.detail, cause.hint, cause.position)
    try:
        await conn.fetch("SELECT $1::int", "not a number")
    except asyncpg.DataError as cause:
        print(type(cause).__name__)
    conn.add_log_listener(lambda _conn, message: print(message.severity, message.message))
    await conn.execute("DO $$ BEGIN RAISE NOTICE 'seen'; RAISE WARNING 'warned'; END $$")
    await asyncio.sleep(0)
    print(await conn.fetchval("SELECT 'usable'"))
    await conn.close()


async def large():
    conn = await connection()
    big = "x" * (4 * 1024 * 1024)
    print(await conn.fetchrow("SELECT length($1::text), md5($1::text)", big))
    print(len(await conn.fetchval("SELECT repeat('y', 8 * 1024 * 1024)")))
    print(sum(row[0] for row in await conn.fetch("SELECT g FROM generate_series(1, 100000) g")))
    await conn.close()


async def copy():
    conn = await connection()
    tx = conn.transaction()
    await tx.start()
    print(await conn.copy_records_to_table("note", records=[(n, f"n{n}") for n in range(5000)], columns=["id", "body"]))
    print(await conn.fetchrow("SELECT count(*), sum(id) FROM note"))
    out = io.BytesIO()
    print(await conn.copy_from_query("SELECT id, body FROM note ORDER BY id LIMIT 3", output=out, format="csv"), out.getvalue())
    await tx.rollback()
    for table, data in (("note", b"1\nx\n"), ("no_such_table", b"1\n")):
        try:
            await conn.copy_to_table(table, source=io.BytesIO(data), columns=["id"])
        except asyncpg.PostgresError as cause:
            print(cause.sqlstate, cause.context)
    print(await conn.fetchval("SELECT 'usable'"))
    await conn.close()


async def listen():
    conn, other = await connection(), await connection()
    heard = asyncio.Queue()
    await conn.add_listener("news", lambda _conn, _pid, channel, payload: heard.put_nowait((channel, payload)))
    await other.execute("NOTIFY news, 'one'")
    await other.execute("SELECT pg_notify('news', $1)", "two")
    print([await asyncio.wait_for(heard.get(), 20) for _ in range(2)])
    await conn.close()
    await other.close()


async def cancel():
    conn = await connection()
    started = time.monotonic()
    try:
        await conn.fetch("SELECT pg_sleep(30)", timeout=0.5)
    except asyncio.TimeoutError:
        print("cancelled")
    print(await conn.fetchval("SELECT 'usable'"), "at once" if time.monotonic() - started < 20 else "late")
    await conn.close()


async def cursors():
    conn = await connection()
    async with conn.transaction():
        print(sum([row[0] async for row in conn.cursor("SELECT id FROM item WHERE id > $1", 10, prefetch=37)]))
        cursor = await conn.cursor("SELECT id FROM item ORDER BY id")
        print(await cursor.fetch(3), await cursor.forward(100), await cursor.fetchrow())
    await conn.close()


async def pool():
    shared = await asyncpg.create_pool(host=HOST, port=PORT, user=USER, password=PASSWORD, database=DATABASE,
                                       min_size=2, max_size=8, ssl=False)

    async def work(n):
        async with shared.acquire() as conn:
            return await conn.fetchval("SELECT name FROM item WHERE id = $1", n % 1000 + 1)

    print(await asyncio.gather(*(work(n) for n in range(300))))
    await shared.close()


asyncio.run(play_async({"connect": connect, "tls": tls, "types": types, "parameters": parameters,
                        "transactions": transactions, "savepoints": savepoints, "prepared": prepared, "errors": errors,
                        "large": large, "copy": copy, "listen": listen, "cancel": cancel, "cursors": cursors, "pool": pool}))
