/** One session of a program, on either side: the connection, its open transactions, and a held statement. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as PgConnection from "../../../../src/PgConnection.ts"
import type * as PgError from "../../../../src/PgError.ts"
import type * as PgStatement from "../../../../src/PgStatement.ts"

type Answer = Effect.Effect<unknown, PgError.PgError>

/** An open transaction, or a savepoint of it. */
interface Level {
  readonly pg: PgConnection.Queryable
  readonly commit: Answer
  readonly rollback: Answer
  readonly isByHand: boolean
}

export class Seat {
  private readonly open: Effect.Effect<PgConnection.PgConnection, PgError.PgError, Scope.Scope>
  private scope = Scope.makeUnsafe()
  private connection: PgConnection.PgConnection | undefined
  private levels: Array<Level> = []
  kept: PgStatement.PgStatement | undefined

  constructor(open: Effect.Effect<PgConnection.PgConnection, PgError.PgError, Scope.Scope>) {
    this.open = open
  }

  get pg(): PgConnection.Queryable {
    const { connection, levels } = this
    const pg = levels.at(-1)?.pg ?? connection
    if (pg === undefined) throw new Error("a session that was not taken")
    return pg
  }

  get depth(): number {
    return this.levels.length
  }

  get isByHand(): boolean {
    return this.levels[0]?.isByHand === true
  }

  get take(): Effect.Effect<void, PgError.PgError> {
    return Effect.map(Scope.provide(this.open, this.scope), (connection) => {
      this.connection = connection
    })
  }

  /** Gives the connection back, whatever is open on it. */
  get leave(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { scope } = this
      this.scope = Scope.makeUnsafe()
      this.levels = []
      this.kept = undefined
      this.connection = undefined
      return Scope.close(scope, Exit.void)
    })
  }

  begin(isByHand: boolean): Answer {
    const { pg } = this
    if (isByHand) {
      const level = { pg, isByHand, commit: pg.execute("COMMIT"), rollback: pg.execute("ROLLBACK") }
      return Effect.tap(pg.execute("BEGIN"), () => Effect.sync(() => void this.levels.push(level)))
    }
    return Effect.map(Scope.provide(pg.begin(), this.scope), (transaction) => {
      this.levels.push({ pg: transaction, isByHand, commit: transaction.commit, rollback: transaction.rollback })
    })
  }

  savepoint(): Answer {
    if (!this.isByHand) return this.begin(false)
    const { depth, pg } = this
    const name = `s${depth}`
    const commit = pg.execute(`RELEASE ${name}`)
    const rollback = Effect.andThen(pg.execute(`ROLLBACK TO ${name}`), commit)
    return Effect.map(pg.execute(`SAVEPOINT ${name}`), () => {
      this.levels.push({ pg, isByHand: true, commit, rollback })
    })
  }

  commit(): Answer {
    return Effect.suspend(() => this.levels.pop()?.commit ?? Effect.void)
  }

  rollBack(): Answer {
    return Effect.suspend(() => this.levels.pop()?.rollback ?? Effect.void)
  }

  /** Runs in whatever is open. */
  get rollBackAll(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const levels = this.isByHand ? this.levels.slice(0, 1) : this.levels.toReversed()
      this.levels = []
      return Effect.forEach(levels, ({ rollback }) => Effect.ignore(rollback), { discard: true })
    })
  }

  keep(sql: string): Answer {
    return Effect.suspend(() =>
      Effect.map(Scope.provide(this.pg.prepare(sql), this.scope), (statement) => {
        this.kept = statement
      })
    )
  }
}
