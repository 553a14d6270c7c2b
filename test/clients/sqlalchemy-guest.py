"""SQLAlchemy over psycopg 2: engine with its own pool, core and ORM."""
from concurrent.futures import ThreadPoolExecutor

from guest import DATABASE, HOST, PASSWORD, PORT, USER, WRONG, play
from sqlalchemy import Column, ForeignKey, Integer, Numeric, Text, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, declarative_base, relationship

engine = create_engine(f"postgresql+psycopg2://{USER}:{PASSWORD}@{HOST}:{PORT}/{DATABASE}", pool_size=5, future=True)
Base = declarative_base()


class Item(Base):
    __tablename__ = "item"
    id = Column(Integer, primary_key=True)
    name = Column(Text)
    price = Column(Numeric)


class Note(Base):
    __tablename__ = "note"
    id = Column(Integer, primary_key=True)
    body = Column(Text)
    item_id = Column(Integer, ForeignKey("item.id"))
    item = relationship(Item)


def types():
    with engine.connect() as conn:
        for value in conn.execute(text("SELECT 1, 2.5::numeric, 'x', ARRAY[1,2], '{\"a\": 1}'::jsonb, '2024-02-29'::date, NULL")).one():
            print(repr(value))


def parameters():
    with engine.connect() as conn:
        print(conn.execute(select(Item.id, Item.name).where(Item.id.in_([1, 5, 999])).order_by(Item.id)).all())
        print(conn.execute(text("SELECT :a, :b"), {"a": 1, "b": "it's"}).all())


def transactions():
    with Session(engine) as session:
        session.add_all([Note(id=1, body="one", item_id=1), Note(id=2, body="two", item_id=2)])
        session.commit()
    with Session(engine) as session:
        notes = session.execute(select(Note).order_by(Note.id).with_for_update()).scalars().all()
        print([(note.id, note.body, note.item.name) for note in notes])
        notes[0].body = "changed"
        session.flush()
        print(session.execute(select(func.count()).where(Note.body == "changed")).scalar_one())
        session.rollback()
        print(session.execute(select(Note.body).order_by(Note.id).with_for_update()).all())
        session.query(Note).delete()
        session.commit()
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as conn:
        print(conn.execute(text("SHOW transaction_isolation")).all())


def savepoints():
    with Session(engine) as session:
        session.add(Note(id=1))
        session.flush()
        for id in (1, 2):
            try:
                with session.begin_nested():
                    session.execute(Note.__table__.insert().values(id=id))
            except DBAPIError as cause:
                print(type(cause).__name__, cause.orig.pgcode)
        print(session.execute(select(Note.id).order_by(Note.id)).all())
        session.rollback()


def cursors():
    with engine.connect().execution_options(stream_results=True, yield_per=100) as conn:
        print(sum(row.id for row in conn.execute(select(Item.id))))


def errors():
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        for wrong in WRONG:
            try:
                conn.exec_driver_sql(wrong)
            except DBAPIError as cause:
                print(type(cause).__name__, cause.orig.pgcode, str(cause.orig).strip())


def pool():
    def work(n):
        with engine.connect() as conn:
            return conn.execute(select(Item.name).where(Item.id == n % 1000 + 1)).scalar_one()

    with ThreadPoolExecutor(8) as threads:
        print(list(threads.map(work, range(200))))
    engine.dispose()


play({"types": types, "parameters": parameters, "transactions": transactions, "savepoints": savepoints,
      "cursors": cursors, "errors": errors, "pool": pool})
