/**
 * Measures latency at a fixed rate. A call begins when it is due, even if others are not done, and its time counts from
 * then. A loop that waits for each answer before it asks again would hide the time that calls wait for others.
 */
import { transaction } from "./pool.ts"
import { primaryKey } from "./primaryKey.ts"
import { type Call, CONNECTIONS, type Query, type Workload } from "./workload.ts"

const ACCOUNTS = 10_000
const DIFFERENT_CALLS = 100
const ORDER_LENGTH = 1_000
const SEED = 20_261_129

const inNumber = (query: (index: number) => Query): readonly [Query, ...Array<Query>] => [
  query(0),
  ...Array.from({ length: DIFFERENT_CALLS - 1 }, (_, index) => query(index + 1))
]

const short: Call = {
  task: {
    kind: "fetch",
    queries: inNumber((index) => ({
      sql: "SELECT id, name, balance, opened FROM account WHERE id = $1",
      parameters: [1 + ((index * 97) % ACCOUNTS)]
    }))
  },
  rows: 1,
  isTimed: true
}

/** From 50 to 500 ms, in an order that is neither ascending nor the same as that of the calls. */
const sleeping: Call = {
  task: {
    kind: "fetch",
    queries: inNumber((index) => ({
      sql: "SELECT 1 AS slept FROM pg_sleep($1)",
      parameters: [0.0505 + ((index * 37) % DIFFERENT_CALLS) * 0.0045]
    }))
  },
  rows: 1,
  isTimed: false
}

const inserting: Call = {
  task: {
    kind: "transaction",
    query: {
      sql: "INSERT INTO ledger (account, amount, reason) VALUES ($1, $2, $3)",
      parameters: [4711, 250, "a cup of coffee"]
    }
  },
  rows: 1,
  isTimed: false
}

const STREAMED = 1_000
const accounts: Query = { sql: "SELECT id, balance FROM account WHERE id <= $1", parameters: [STREAMED] }

const streaming: Call = {
  task: { kind: "stream", query: accounts, rows: STREAMED, checkedWith: accounts },
  rows: STREAMED,
  isTimed: false
}

/** Random numbers from 0 to 1, the same in each run (mulberry32). */
const randomOf = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The calls in random order, each as often as its percentage says. The first call gets what is left. */
const mixed = (...others: ReadonlyArray<readonly [percent: number, index: number]>): ReadonlyArray<number> => {
  const random = randomOf(SEED)
  return Array.from({ length: ORDER_LENGTH }, () => {
    let left = random() * 100
    return others.find(([percent]) => (left -= percent) < 0)?.[1] ?? 0
  })
}

const throughPool = { through: "pool", connections: CONNECTIONS, fibers: 1, turns: { most: 3, least: 4 } } as const

export const fixedRate: Workload = {
  name: "fixed-rate",
  title: "primary-key row, 2,000 calls a second on a pool of 10",
  setup: primaryKey.setup,
  task: { kind: "load", perSecond: 2_000, calls: [short], order: [0] },
  ...throughPool
}

/** The sleeping calls alone keep half of the pool busy. */
export const mixedLoad: Workload = {
  name: "mixed-load",
  title: "the same, 400 a second, of which 5 % sleep for 50 to 500 ms, 2 % are transactions, 1 % streams",
  setup: [...primaryKey.setup, ...transaction.setup],
  task: {
    kind: "load",
    perSecond: 400,
    calls: [short, sleeping, inserting, streaming],
    order: mixed([5, 1], [2, 2], [1, 3])
  },
  ...throughPool,
  audit: `SELECT format('%s rows instead of one', count(*)) FROM ledger
          WHERE account = 4711 AND amount = 250 AND reason = 'a cup of coffee' HAVING count(*) <> 1`,
  reset: "TRUNCATE ledger"
}
