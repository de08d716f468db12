"""The work of fromAsyncpg.ts, by asyncpg. Prints the same lines: python from_asyncpg.py postgres://..."""
import asyncio
import sys

import asyncpg


async def main(url):
    # region pool
    pool = await asyncpg.create_pool(url, min_size=1, max_size=10)
    # endregion pool

    async with pool.acquire() as connection:
        await connection.execute("CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE, born date)")

    # region execute
    status = await pool.execute("INSERT INTO users (id, name) VALUES ($1, $2)", 1, "Ada")
    await pool.executemany("INSERT INTO users (id, name) VALUES ($1, $2)", [(2, "Grace"), (3, "Barbara")])
    # endregion execute
    print(status.split()[-1])

    # region fetch
    rows = await pool.fetch("SELECT id, name FROM users WHERE id > $1 ORDER BY id", 1)
    row = await pool.fetchrow("SELECT name FROM users WHERE id = $1", 1)
    count = await pool.fetchval("SELECT count(*) FROM users")
    # endregion fetch
    print(" ".join(row["name"] for row in rows), row["name"], count)

    # region transaction
    async with pool.acquire() as connection:
        async with connection.transaction(isolation="serializable"):
            await connection.execute("UPDATE users SET name = 'Ada Lovelace' WHERE id = 1")
            try:
                async with connection.transaction():  # a savepoint
                    await connection.execute("INSERT INTO users VALUES (1, 'Ada')")
            except asyncpg.UniqueViolationError as error:
                print(error.constraint_name)
    # endregion transaction

    # region cursor
    async with pool.acquire() as connection:
        async with connection.transaction():
            total = 0
            async for record in connection.cursor("SELECT n FROM generate_series(1, 10000) AS n"):
                total += record["n"]
    # endregion cursor
    print(total)

    # region copy
    async with pool.acquire() as connection:
        status = await connection.copy_records_to_table(
            "users", columns=["id", "name"], records=[(4, "Frances"), (5, "Radia")]
        )
    # endregion copy
    print(status.split()[-1])

    # region prepare
    async with pool.acquire() as connection:
        statement = await connection.prepare("SELECT name FROM users WHERE id = $1")
        value = await statement.fetchval(4)
        types = [parameter.name for parameter in statement.get_parameters()]
    # endregion prepare
    print(value, *types)

    await pool.execute("DROP TABLE users")
    await pool.close()


asyncio.run(main(sys.argv[1]))
