"""What the guests in Python share: scenarios are played in order, each printed as a section of lines."""
import os
import traceback

HOST = os.environ["PGHOST"]
PORT = int(os.environ["PGPORT"])
USER = os.environ["PGUSER"]
PASSWORD = os.environ["PGPASSWORD"]
DATABASE = os.environ["PGDATABASE"]
# What the scenario of TLS asks for: `require` where the place offers it.
TLS_MODE = os.environ["CLIENT_SSLMODE"]


def begin(name):
    print("##", name, flush=True)


def unexpected(cause):
    print("unexpected:", type(cause).__name__, cause)
    traceback.print_exc()


def play(scenarios):
    for name, scenario in scenarios.items():
        begin(name)
        try:
            scenario()
        except Exception as cause:
            unexpected(cause)


async def play_async(scenarios):
    for name, scenario in scenarios.items():
        begin(name)
        try:
            await scenario()
        except Exception as cause:
            unexpected(cause)


# Statements that go wrong, each in its way.
WRONG = [
    "SELEC 1",
    "SELECT * FROM no_such_table",
    "SELECT no_such_column FROM item",
    "SELECT 1/0",
    "SELECT 'x'::int",
    "INSERT INTO item (id, name) VALUES (1, 'again')",
    "INSERT INTO item (id, name) VALUES (-1, NULL)",
    "INSERT INTO note (id, item_id) VALUES (-1, -1)",
    "SELECT no_such_function(1)",
    "DO $$ BEGIN RAISE EXCEPTION 'by hand' USING ERRCODE = 'MA001', DETAIL = 'a detail', HINT = 'a hint'; END $$",
]

TYPES = """SELECT 1::int2 AS i2, 2::int4 AS i4, 9007199254740993::int8 AS i8, 1.5::float8 AS f8, 12345.6789::numeric AS num,
  true AS yes, 'text äö€😀'::text AS txt, '\\x00ff10'::bytea AS bin, '2024-02-29'::date AS d,
  '2024-02-29 12:34:56.789'::timestamp AS ts, '2024-02-29 12:34:56.789+02'::timestamptz AS tstz, '{"a": [1, null]}'::jsonb AS js,
  '{1,2,NULL}'::int[] AS ints, '{a,"b c"}'::text[] AS texts, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS u,
  '1 day 02:03:04'::interval AS iv, NULL::text AS nothing"""
