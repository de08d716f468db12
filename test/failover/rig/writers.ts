/**
 * Fibers that write unique keys through a pool, as careful programs do: a call that has failed is repeated only if its
 * error says that nothing was written. The account afterwards tells what was acknowledged and is gone, what is there
 * twice, and what a standby has taken.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as PgError from "../../../src/PgError.ts"
import type { PgPool } from "../../../src/PgPool.ts"
import type { Node } from "./node.ts"

const WRITERS = 8
const PAUSE_MILLIS = 2
/** How long a call that was not answered is waited for. */
const TIMEOUT = "1 second"

export interface Account {
  readonly acknowledged: number
  /** Keys that were acknowledged and are gone. */
  readonly lost: number
  readonly duplicates: number
  /** Writes that a standby has acknowledged. */
  readonly takenByStandby: number
  /** Keys that may have been written, because the call was not answered, and how many of them have been. */
  readonly unknown: number
  readonly unknownWritten: number
  /** How often each error was reported, with its outcome. */
  readonly errors: Readonly<Record<string, number>>
}

export class Writers {
  readonly acknowledgedAt: Array<number> = []
  readonly errors: Record<string, number> = {}
  readonly fibers: Array<Fiber.Fiber<void>> = []
  private readonly table: string
  private readonly acknowledged: Array<string> = []
  private readonly unknown: Array<string> = []
  private takenByStandby = 0
  private isOver = false
  private keys = 0

  constructor(table: string) {
    this.table = table
  }

  /** Writes until `stop`. */
  run(pool: PgPool): Effect.Effect<void> {
    const insert = `INSERT INTO ${this.table} (key) VALUES ($1) RETURNING pg_is_in_recovery()`
    let key: string | undefined
    const one = Effect.suspend(() => {
      const written = (key ??= `key ${this.keys++}`)
      return Effect.match(pool.fetchValue(insert, [written], { timeout: TIMEOUT }), {
        onSuccess: (isStandby) => {
          key = undefined
          this.acknowledged.push(written)
          this.acknowledgedAt.push(performance.now())
          if (Option.getOrThrow(isStandby) === true) this.takenByStandby++
        },
        onFailure: (error) => {
          this.note(error)
          if (error.outcome === "none") return
          key = undefined
          this.unknown.push(written)
        }
      })
    })
    return Effect.whileLoop({
      while: () => !this.isOver,
      body: () => Effect.andThen(one, Effect.sleep(PAUSE_MILLIS)),
      step: () => {}
    })
  }

  private note(error: PgError.PgError): void {
    const name = `${error._tag} ${error.outcome}`
    this.errors[name] = (this.errors[name] ?? 0) + 1
  }

  /** How long after that moment the first write was acknowledged that was not in flight before it. */
  firstAfter(moment: number): number {
    const first = this.acknowledgedAt.find((at) => at > moment)
    return first === undefined ? Infinity : Math.round(first - moment)
  }

  /** The longest time in which nothing was acknowledged. */
  get longestGap(): number {
    const gaps = this.acknowledgedAt.map((at, index) => at - (this.acknowledgedAt[index - 1] ?? at))
    return Math.round(Math.max(0, ...gaps))
  }

  /** Ends after the last call has been answered or given up. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.isOver = true
    return Fiber.awaitAll(this.fibers)
  })

  /** Compares what was said to the writers with what is in the table. */
  async account(primary: Node): Promise<Account> {
    const rows = await primary.query(`SELECT key FROM ${this.table}`)
    const there = new Set(rows.map((row) => row["key"]))
    return {
      acknowledged: this.acknowledged.length,
      lost: this.acknowledged.filter((key) => !there.has(key)).length,
      duplicates: rows.length - there.size,
      takenByStandby: this.takenByStandby,
      unknown: this.unknown.length,
      unknownWritten: this.unknown.filter((key) => there.has(key)).length,
      errors: this.errors
    }
  }
}

/** Writers that write to a new table from now on, until they are stopped or the scope closes. */
export const startWriters = (pool: PgPool, table: string): Effect.Effect<Writers, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    // There is no unique index, which would hide that something was written twice.
    yield* pool.execute(`CREATE TABLE ${table} (key text)`)
    const writers = new Writers(table)
    for (let writer = 0; writer < WRITERS; writer++) writers.fibers.push(yield* Effect.forkScoped(writers.run(pool)))
    return writers
  })
