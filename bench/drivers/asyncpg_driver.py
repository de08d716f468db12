"""
asyncpg under uvloop, behind the same requests and replies as the drivers for Node (protocol.ts).

json and jsonb are decoded, which asyncpg leaves to its user; everything else is its default.
"""

import array
import asyncio
import datetime
import decimal
import gc
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

# How many connections are being opened at a time, of those that will be idle.
OPENING = 10
# The first ones load code, which all others share.
FIRST_CONNECTIONS = 3

# Calls that are due within the same millisecond begin together.
TICK_SECONDS = 0.001

# The cache of a connection holds so many statements; a workload of more has it enlarged.
USUAL_STATEMENTS = 100


def options(plan):
    statements = max(len(plan["task"].get("queries", ())), USUAL_STATEMENTS)
    return {"ssl": False, "statement_cache_size": plan.get("statementCacheSize", statements)}


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


async def hold(task, plan, address, use):
    opened = []
    rows = []
    left = iter(range(task["connections"]))

    async def opening():
        for _ in left:
            connection = await asyncpg.connect(**address, **options(plan))
            await prepare_connection(connection)
            opened.append(connection)
            rows.append(await fetch(connection, task["query"]))

    await asyncio.gather(*(opening() for _ in range(OPENING)))
    await use()
    await asyncio.gather(*(connection.close() for connection in opened))
    return rows[0]


async def nothing():
    pass


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
    if kind == "idle":
        return lambda on, see: hold(task, plan, address, nothing), None
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


class Clock:
    def __init__(self):
        self.cpu_at_start = os.times()
        self.started_at = time.perf_counter()

    def sample(self, latencies, queries, rows):
        wall = time.perf_counter() - self.started_at
        cpu = os.times()
        system = cpu.system - self.cpu_at_start.system
        ordered = sorted(latencies)

        def percentile(thousandths):
            return ordered[len(ordered) * thousandths // 1000] * MICROS_PER_SECOND if ordered else 0

        return {
            "queries": queries,
            "rows": rows,
            "wallMicros": wall * MICROS_PER_SECOND,
            "cpuMicros": (cpu.user - self.cpu_at_start.user + system) * MICROS_PER_SECOND,
            "systemMicros": system * MICROS_PER_SECOND,
            "p50Micros": percentile(500),
            "p99Micros": percentile(990),
            "p999Micros": percentile(999),
            "peakMemoryBytes": peak_memory_bytes(),
        }


def resident_bytes():
    gc.collect()
    with open("/proc/self/statm") as status:
        return int(status.read().split()[1]) * resource.getpagesize()


# The calls of a load, each with the rows that it must have; a pool streams through one of its connections.
def calls_of(task, plan, address):
    calls = []
    for call in task["calls"]:
        run, known = operation(call["task"], plan, address)
        if call["task"]["kind"] == "stream":
            run = through_pool(run)
        calls.append((run, known, call["rows"], call["isTimed"]))
    return calls


def through_pool(run):
    async def streaming(pool, see):
        async with pool.acquire() as connection:
            await run(connection, see)

    return streaming


class Session:
    def __init__(self, address, plan):
        self.address = address
        self.plan = plan
        self.opened = []

    async def open(self):
        if self.plan["isPipelined"]:
            raise Unsupported("it cannot pipeline")
        if self.plan["task"]["kind"] == "load":
            calls_of(self.plan["task"], self.plan, self.address)
        else:
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
        if task["kind"] == "load":
            for run, _, _, _ in calls_of(task, self.plan, self.address):
                await run(self.opened[0], lambda row: None)
            return []
        run, known = operation(task, self.plan, self.address)
        result = await run(self.opened[0], streamed.append)
        return result if known is None else streamed

    async def load(self, task, seconds):
        latencies = array.array("d")
        counted = 0
        right = 0
        running = set()
        calls = calls_of(task, self.plan, self.address)
        order = task["order"]
        clock = Clock()

        async def one(call, due_at):
            nonlocal counted, right
            run, known, rows, is_timed = call
            seen = []
            result = await run(self.opened[0], seen.append)
            if is_timed:
                latencies.append(time.perf_counter() - due_at)
            counted += 1
            right += (len(result) if known is None else known + len(seen)) == rows

        every = int(task["perSecond"] * seconds)
        made = 0
        while made < every:
            due = min(every, (time.perf_counter() - clock.started_at) * task["perSecond"])
            while made < due:
                due_at = clock.started_at + made / task["perSecond"]
                call = asyncio.ensure_future(one(calls[order[made % len(order)]], due_at))
                running.add(call)
                call.add_done_callback(lambda done: running.discard(done) if done.exception() is None else None)
                made += 1
            await asyncio.sleep(TICK_SECONDS)
        await asyncio.gather(*running)
        return clock.sample(latencies, counted, right)

    async def idle(self, task, seconds):
        await hold({**task, "connections": FIRST_CONNECTIONS}, self.plan, self.address, nothing)
        before = resident_bytes()
        clock = Clock()
        sample = None

        async def use():
            nonlocal sample
            sample = clock.sample([], task["connections"], task["connections"])
            resident = resident_bytes() - before
            idle_clock = Clock()
            await asyncio.sleep(seconds)
            sample["idle"] = {
                "residentBytes": resident / task["connections"],
                "heapBytes": None,
                "cpuMicrosPerSecond": idle_clock.sample([], 1, 0)["cpuMicros"] / seconds / task["connections"],
            }

        await hold(task, self.plan, self.address, use)
        return sample

    async def repeat(self, task, fibers, seconds):
        if task["kind"] == "load":
            return await self.load(task, seconds)
        if task["kind"] == "idle":
            return await self.idle(task, seconds)
        latencies = array.array("d")
        counted_rows = 0
        run, known = operation(task, self.plan, self.address)
        clock = Clock()
        ends_at = clock.started_at + seconds

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
        return clock.sample(latencies, len(latencies), counted_rows)

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
