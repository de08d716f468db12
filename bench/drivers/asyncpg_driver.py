"""
asyncpg under uvloop, behind the same requests and replies as the drivers for Node (protocol.ts).

json and jsonb are decoded, which asyncpg leaves to its user; everything else is its default.
"""

import array
import asyncio
import datetime
import decimal
import itertools
import json
import os
import resource
import sys
import time
import uuid

import asyncpg
import uvloop

MICROS_PER_SECOND = 1_000_000
BYTES_PER_KIBIBYTE = 1_024


def number(value):
    if type(value) is float:
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value) if type(value) is int else None


def timestamptz(value):
    if type(value) is not datetime.datetime:
        return None
    text = value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "+00"


def int_array(value):
    if type(value) is not list:
        return None
    return "{" + ",".join(str(number(element)) for element in value) + "}"


# The text that the server prints for a value; None where the value is none that the type decodes to.
PRINTERS = {
    "bool": lambda value: {True: "t", False: "f"}.get(value),
    "bytea": lambda value: "\\x" + value.hex() if type(value) is bytes else None,
    "char": lambda value: value.decode() if type(value) is bytes else None,
    "date": lambda value: value.isoformat() if type(value) is datetime.date else None,
    "float8": number,
    "int2": number,
    "int4": number,
    "int8": number,
    "jsonb": lambda value: json.dumps(value, ensure_ascii=False),
    "name": lambda value: value if type(value) is str else None,
    "numeric": lambda value: format(value, "f") if type(value) is decimal.Decimal else None,
    "oid": number,
    "text": lambda value: value if type(value) is str else None,
    "timestamptz": timestamptz,
    "uuid": lambda value: str(value) if isinstance(value, uuid.UUID) else None,
    "_int4": int_array,
}


def server_text(value, type_name):
    if value is None:
        return None
    text = PRINTERS[type_name](value)
    if text is None:
        raise ValueError(f"not a decoded value of {type_name}: {value!r}")
    return text


async def prepare_connection(connection):
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


# How many rows a stream asks for at a time, as in every driver that can be told.
STREAM_PAGE_ROWS = 1_000

# The cache of a connection holds so many statements; a workload of more has it enlarged.
USUAL_STATEMENTS = 100


def options(plan):
    statements = len(plan["task"].get("queries", ()))
    return {"ssl": False, "statement_cache_size": max(statements, USUAL_STATEMENTS)}


async def fetch(on, query):
    return await on.fetch(query["sql"], *query["parameters"])


def in_turn(queries):
    turns = itertools.cycle(queries)
    return lambda on, see: fetch(on, next(turns))


async def stream(connection, query, see):
    async with connection.transaction():
        async for row in connection.cursor(query["sql"], *query["parameters"], prefetch=STREAM_PAGE_ROWS):
            see(row)


async def acquire(pool):
    async with pool.acquire():
        pass


async def lease(pool, query):
    async with pool.acquire() as connection:
        return await fetch(connection, query)


async def transaction(pool, query):
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(query["sql"], *query["parameters"])


async def connect_and_close(address, plan):
    connection = await asyncpg.connect(**address, **options(plan))
    await connection.close()


class Unsupported(Exception):
    pass


# What a loop does once, given a connection or a pool and somebody to show streamed rows to; and how many rows it has
# beside those that it shows, None where they are what it returns.
def operation(task, plan, address):
    kind = task["kind"]
    if kind == "fetch":
        return in_turn(task["queries"]), None
    if kind == "stream":
        return lambda on, see: stream(on, task["query"], see), 0
    if kind == "executeMany":
        records = [tuple(task["row"])] * task["count"]
        return lambda on, see: on.executemany(task["sql"], records), task["count"]
    if kind == "copyIn":
        records = [tuple(task["row"])] * task["count"]
        return (
            lambda on, see: on.copy_records_to_table(task["table"], columns=task["columns"], records=records),
            task["count"],
        )
    if kind == "acquire":
        return lambda on, see: acquire(on), 0
    if kind == "lease":
        return lambda on, see: lease(on, task["query"]), None
    if kind == "transaction":
        return lambda on, see: transaction(on, task["query"]), 1
    if kind == "connect":
        return lambda on, see: connect_and_close(address, plan), 0
    raise Unsupported(f"this benchmark knows no {kind} of it")


def peak_memory_bytes():
    # On Linux ru_maxrss would include what the parent had when it started us.
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * BYTES_PER_KIBIBYTE
    except FileNotFoundError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_KIBIBYTE


class Session:
    def __init__(self, address, plan):
        self.address = address
        self.plan = plan
        self.opened = []

    async def open(self):
        if self.plan["isPipelined"]:
            raise Unsupported("it cannot pipeline")
        operation(self.plan["task"], self.plan, self.address)
        through, connections = self.plan["through"], self.plan["connections"]
        if through == "pool":
            pool = asyncpg.create_pool(
                **self.address,
                **options(self.plan),
                min_size=connections,
                max_size=connections,
                init=prepare_connection,
            )
            self.opened = [await pool]
        elif through == "connections":
            for _ in range(connections):
                connection = await asyncpg.connect(**self.address, **options(self.plan))
                await prepare_connection(connection)
                self.opened.append(connection)
        else:
            self.opened = [None]

    async def once(self, task):
        streamed = []
        run, known = operation(task, self.plan, self.address)
        result = await run(self.opened[0], streamed.append)
        return result if known is None else streamed

    async def repeat(self, task, fibers, seconds):
        latencies = array.array("d")
        counted_rows = 0
        run, known = operation(task, self.plan, self.address)
        cpu_at_start = os.times()
        started_at = time.perf_counter()
        ends_at = started_at + seconds

        def see(row):
            nonlocal counted_rows
            counted_rows += 1

        async def loop(on):
            nonlocal counted_rows
            now = time.perf_counter()
            while now < ends_at:
                query_started_at = now
                result = await run(on, see)
                now = time.perf_counter()
                latencies.append(now - query_started_at)
                counted_rows += len(result) if known is None else known

        await asyncio.gather(*(loop(self.opened[fiber % len(self.opened)]) for fiber in range(fibers)))
        wall = time.perf_counter() - started_at
        cpu = os.times()
        system = cpu.system - cpu_at_start.system
        ordered = sorted(latencies)
        return {
            "queries": len(ordered),
            "rows": counted_rows,
            "wallMicros": wall * MICROS_PER_SECOND,
            "cpuMicros": (cpu.user - cpu_at_start.user + system) * MICROS_PER_SECOND,
            "systemMicros": system * MICROS_PER_SECOND,
            "p50Micros": ordered[len(ordered) // 2] * MICROS_PER_SECOND,
            "p99Micros": ordered[len(ordered) * 99 // 100] * MICROS_PER_SECOND,
            "peakMemoryBytes": peak_memory_bytes(),
        }

    async def close(self):
        for on in self.opened:
            if on is not None:
                await on.close()


async def answer(session, request):
    kind = request["kind"]
    if kind == "values":
        columns = request["columns"]
        rows = await session.once(request["task"])
        texts = [[server_text(row[column["name"]], column["type"]) for column in columns] for row in rows]
        return {"kind": "values", "rows": texts}
    if kind == "repeat":
        sample = await session.repeat(request["task"], request["fibers"], request["seconds"])
        return {"kind": "sample", "sample": sample}
    return {"kind": "allocation", "bytesPerQuery": None}


async def main():
    event_loop = asyncio.get_running_loop()
    session = None
    while line := await event_loop.run_in_executor(None, sys.stdin.readline):
        try:
            request = json.loads(line)
            if request["kind"] == "open":
                session = Session(request["address"], request["plan"])
                await session.open()
                reply = {"kind": "opened"}
            else:
                reply = await answer(session, request)
        except Unsupported as refusal:
            reply = {"kind": "refused", "reason": str(refusal)}
        except Exception as error:
            reply = {"kind": "failed", "message": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)
    if session is not None:
        await session.close()


uvloop.install()
asyncio.run(main())
