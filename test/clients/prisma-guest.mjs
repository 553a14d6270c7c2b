// Prisma: an ORM whose own compiler writes the SQL, over node-postgres by its driver adapter. Its client is generated from
// schema.prisma into dist/prisma, which `npm test` does.
import { createRequire } from 'node:module';
import { PrismaPg } from '@prisma/adapter-pg';
import { TYPES, WRONG } from '../../dist/test/clients/wrong.js';

const { PrismaClient, Prisma } = createRequire(import.meta.url)('../../dist/prisma');
const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE } = process.env;
const adapter = new PrismaPg({
  host: PGHOST,
  port: Number(PGPORT),
  user: PGUSER,
  password: PGPASSWORD,
  database: PGDATABASE,
  max: 5,
});
const db = new PrismaClient({ adapter, errorFormat: 'minimal' });

const written = (_key, value) => (typeof value === 'bigint' ? `${value}n` : value);
const line = (text) => process.stdout.write(`${text}\n`);
const say = (...seen) => line(seen.map((one) => JSON.stringify(one, written)).join(' '));

/** What PostgreSQL said, without Prisma's drawing of the place in this file. */
const refused = async (work) => {
  try {
    await work;
    return 'not refused';
  } catch (cause) {
    return [cause.name, cause.code, cause.meta, cause.message.split('\n').at(-1)];
  }
};

const scenarios = {
  async types() {
    // Of an interval it says that it has no such type.
    say(await refused(db.$queryRawUnsafe(TYPES)));
    say(await db.$queryRawUnsafe(TYPES.replace(/'[^']*'::interval/, 'NULL')));
    await db.item.create({ data: { id: 5001, name: 'äö€😀', price: '12345.67' } });
    say(await db.item.delete({ where: { id: 5001 } }));
  },
  async parameters() {
    say(await db.item.findMany({ where: { id: { in: [1, 5, 999] } }, orderBy: { id: 'asc' } }));
    say(await db.item.aggregate({ _sum: { price: true }, _count: true, where: { name: { contains: '9' } } }));
    say(
      await db.$queryRaw`SELECT ${42}::int AS a, ${"it's"}::text AS b, ${null}::text AS c, ${[1, 2]}::int[] AS d`,
    );
  },
  async transactions() {
    const notes = { create: [{ id: 1, body: 'one' }, { id: 2 }] };
    say(await db.item.create({ data: { id: 5002, name: 'new', notes }, include: { notes: true } }));
    const lost = db.$transaction(async (tx) => {
      say(await tx.note.delete({ where: { id: 1 } }));
      throw new Error('on second thoughts');
    });
    say(await refused(lost));
    const isolationLevel = Prisma.TransactionIsolationLevel.Serializable;
    const both = [db.note.findMany({ orderBy: { id: 'asc' } }), db.item.count()];
    say(await db.$transaction(both, { isolationLevel }));
    const late = db.$transaction(
      async (tx) => {
        await tx.note.create({ data: { id: 3 } });
        await new Promise((resolve) => setTimeout(resolve, 400));
        await tx.note.count();
      },
      { timeout: 100 },
    );
    say((await refused(late))[1]);
    say(await db.note.deleteMany(), await db.item.delete({ where: { id: 5002 } }));
  },
  async errors() {
    for (const wrong of WRONG) say(await refused(db.$executeRawUnsafe(wrong)));
    say(await refused(db.item.create({ data: { id: 1, name: 'again' } })));
    say(await refused(db.note.create({ data: { id: 9, itemId: -1 } })));
    say(await refused(db.item.findUniqueOrThrow({ where: { id: -1 } })));
  },
  async pool() {
    const ids = Array.from({ length: 200 }, (_, index) => index + 1);
    say(await Promise.all(ids.map((id) => db.item.findUnique({ where: { id }, select: { name: true } }))));
    const work = ids.slice(0, 30).map((id) =>
      db.$transaction(async (tx) => {
        await tx.note.create({ data: { id, itemId: id } });
        return await tx.note.count({ where: { id } });
      }),
    );
    say(await Promise.all(work), await db.note.deleteMany());
  },
};

for (const [name, play] of Object.entries(scenarios)) {
  line(`## ${name}`);
  await play();
}
await db.$disconnect();
