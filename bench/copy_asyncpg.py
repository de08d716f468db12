"""One turn of bench/copy.ts for asyncpg: copies rows into a table and prints what it has measured."""

import asyncio
import json
import os
import resource
import time

import asyncpg

try:
    import uvloop

    uvloop.install()
except ImportError:
    pass

ROWS = int(os.environ["COPY_ROWS"])
ROW = tuple(json.loads(os.environ["COPY_ROW"]))
WARM_UP_ROWS = 200_000


def records(count):
    for _ in range(count):
        yield ROW


def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main():
    connection = await asyncpg.connect(**json.loads(os.environ["COPY_ADDRESS"]))

    async def copy(count):
        await connection.copy_records_to_table("measurement", columns=list("abcdefg"), records=records(count))

    await copy(WARM_UP_ROWS)
    before = megabytes()
    began = time.perf_counter()
    cpu = time.process_time()
    await copy(ROWS)
    measured = {
        "seconds": time.perf_counter() - began,
        "cpuSeconds": time.process_time() - cpu,
        "megabytesBefore": before,
        "megabytesAtMost": megabytes(),
    }
    await connection.close()
    print(json.dumps(measured))


asyncio.run(main())
