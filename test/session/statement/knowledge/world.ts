/**
 * Runs a program on two sides at once: by a pool with all its caches, and by connections that cache nothing and learn
 * the types anew for each call. Each side has a database of its own on the same server, and both get the same commands,
 * so a difference in the answers is a fault of the caches.
 *
 * An answer may also be a typed error: then the call is repeated, in a transaction the whole transaction, and must be
 * right.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { isDeepStrictEqual } from "node:util"
import * as PgConnection from "../../../../src/PgConnection.ts"
import * as PgError from "../../../../src/PgError.ts"
import * as PgPool from "../../../../src/PgPool.ts"
import type { TwoServers, Which } from "../../../support/twoServers.ts"
import { allowanceFor, type Hidden } from "./allowance.ts"
import { answer, ask, change, kindOf, runPrepared } from "./asking.ts"
import { type Asked, isUnmarked, schemaOf, STORED } from "./catalogue.ts"
import { type Command, describe, describeCommand, type Who } from "./program.ts"
import { Seat } from "./seat.ts"

const SUBJECT = "subject"
const REFERENCE = "reference"
const LIFETIME_MILLIS = 300_000

/** Waiting for a lock would be a fault of the program. */
const SESSION_SETTINGS = { search_path: "one", lock_timeout: "2s" }

export interface Tally {
  programs: number
  steps: number
  /** Right answers that were not refusals. */
  answered: number
  /** Answers that were right only at the second attempt, by the first error. */
  readonly retried: Map<string, number>
  /** Answers that were out of date, as allowed. */
  readonly allowed: Map<string, number>
}

export const newTally = (): Tally => ({ programs: 0, steps: 0, answered: 0, retried: new Map(), allowed: new Map() })

const count = (counts: Map<string, number>, what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1)

/** An answer in a form that can be compared. */
type Outcome = { readonly value: unknown } | { readonly failed: string; readonly error: PgError.PgError }

const outcomeOf = (call: Effect.Effect<unknown, PgError.PgError>): Effect.Effect<Outcome> =>
  Effect.map(Effect.exit(call), (exit): Outcome => {
    if (Exit.isSuccess(exit)) return { value: exit.value }
    const error = Cause.squash(exit.cause)
    if (!PgError.isPgError(error) || Cause.hasDies(exit.cause)) {
      throw new Error(`a defect: ${Cause.pretty(exit.cause)}`)
    }
    return { failed: error._tag, error }
  })

const isSame = (ours: Outcome, right: Outcome, command?: Command): boolean => {
  if ("value" in ours && "value" in right) return isDeepStrictEqual(ours.value, right.value)
  if (!("failed" in ours) || !("failed" in right)) return false
  return ours.failed === right.failed || mayFailOtherwise(command, right) || isRefusedBySomebody(ours, right)
}

/** The server refuses a value that the client would have refused to write, had it known the attributes of its type. */
const isRefusedBySomebody = (
  { error }: { readonly error: PgError.PgError },
  right: { readonly failed: string }
): boolean => right.failed === "EncodeError" && PgError.isPostgresError(error) && error.code.startsWith("22")

/**
 * A statement that did not run may be refused for one of several reasons: the transaction has failed already, or
 * another of several statements is refused first.
 */
const mayFailOtherwise = (command: Command | undefined, right: { readonly failed: string }): boolean =>
  right.failed === "InFailedSQLTransactionError" ||
  (command?._tag === "Call" && (command.kind === "batch" || command.kind === "concurrent"))

const show = (outcome: Outcome): string =>
  "failed" in outcome ? `${outcome.failed}: ${outcome.error.message.split("\n")[0]}` : inspected(outcome.value)

const inspected = (value: unknown): string =>
  JSON.stringify(value, (_key, each: unknown) => (typeof each === "bigint" ? `${each}n` : each)) ?? "nothing"

/** A statement that only reads may be repeated, whatever it ended with. */
const isReadOnly = (command: Command, asked: Asked | undefined): boolean =>
  asked !== undefined &&
  asked.writes !== true &&
  asked.isUtility !== true &&
  (command._tag !== "Call" || command.next.writes !== true)

/** The clock by which statements grow old: programs advance it. */
const realNow = performance.now.bind(performance)
let ahead = 0
const letTimePass = (millis: number): void => {
  ahead += millis
  performance.now = () => realNow() + ahead
}

type Two<A> = readonly [A, A]

/** What is made once, and serves one program after the other. */
export interface World {
  readonly servers: TwoServers
  /** By server: one for the database of each side. */
  readonly admins: Two<Two<PgConnection.PgConnection>>
  /** By server: the connections without caches, one for each session of a program. */
  readonly references: Two<Two<PgConnection.PgConnection>>
}

const uncached = (servers: TwoServers, which: Which, database: string, settings: Readonly<Record<string, string>>) =>
  PgConnection.make({
    ...servers.settings(database),
    port: servers.servers[which].port,
    settings,
    statementMode: "unnamed",
    statementCacheSize: 0
  })

/** Two servers with a database for each side. */
export const makeWorld = (servers: TwoServers): Effect.Effect<World, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const on = (which: Which) =>
      Effect.gen(function* () {
        for (const database of [SUBJECT, REFERENCE])
          yield* servers.run(which, "postgres", `CREATE DATABASE ${database}`)
        yield* servers.run(which, "postgres", "CREATE ROLE two SUPERUSER")
        const admin = (database: string) => uncached(servers, which, database, { client_min_messages: "error" })
        const reference = uncached(servers, which, REFERENCE, SESSION_SETTINGS)
        return {
          admins: [yield* admin(SUBJECT), yield* admin(REFERENCE)],
          references: [yield* reference, yield* reference]
        } as const
      })
    const [one, other] = yield* Effect.all([on(0), on(1)], { concurrency: 2 })
    return { servers, admins: [one.admins, other.admins], references: [one.references, other.references] }
  })

/** A connection without caches, which is like new after the scope closes. */
const lent = (connection: PgConnection.PgConnection): Effect.Effect<PgConnection.PgConnection, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.succeed(connection), () =>
    Effect.forEach(["ROLLBACK", "DISCARD ALL"], (sql) => Effect.ignore(connection.execute(sql)), { discard: true })
  )

/** What the next OID would be. Each large object takes one. */
const BURN = "SELECT count(lo_unlink(lo_create(0))) FROM generate_series(1, $1)"
const NEXT_OID =
  "WITH made AS MATERIALIZED (SELECT lo_create(0) AS oid) SELECT oid::int8::float8, lo_unlink(oid) FROM made"

/** Begins anew on the servers that a program needs. If these are both, they give the same OIDs to different types. */
const setUp = ({ admins }: World, servers: ReadonlyArray<Which>): Effect.Effect<void, PgError.PgError> =>
  Effect.gen(function* () {
    const needed = servers.map((which) => admins[which])
    const clear = "DROP SCHEMA IF EXISTS one, two CASCADE"
    yield* Effect.forEach(needed.flat(), (admin) => admin.executeScript(clear), { concurrency: 4 })
    if (servers.length > 1) {
      const next = yield* Effect.forEach(needed, ([admin]) =>
        Effect.map(admin.fetchTuples(NEXT_OID), (rows) => Number(rows[0]?.[0]))
      )
      const most = Math.max(...next)
      yield* Effect.forEach(needed, ([admin], index) => admin.fetch(BURN, [most - (next[index] ?? most)]), {
        concurrency: 2
      })
    }
    for (const side of [0, 1] as const) {
      yield* Effect.forEach(servers, (which) => admins[which][side].executeScript(schemaOf(which)), { concurrency: 2 })
    }
  })

/** Fails with what is wrong; undefined if everything is right. */
export const run = (
  world: World,
  program: ReadonlyArray<Command>,
  tally: Tally
): Effect.Effect<string | undefined, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    tally.programs++
    yield* setUp(world, program.some(({ _tag }) => _tag === "FailOver") ? [0, 1] : [0])
    yield* world.servers.failOverTo(0)
    const pool = yield* PgPool.make({
      ...world.servers.settings(SUBJECT),
      settings: SESSION_SETTINGS,
      maxConnections: 2,
      idleTimeout: 0,
      statementCacheLifetime: LIFETIME_MILLIS
    })
    const running = new Running(world, pool, tally)
    return yield* Effect.ensuring(running.run(program), running.leave)
  })

/** One session on both sides. */
interface Pair {
  readonly subject: Seat
  readonly reference: Seat
  /** Changes of which the session may not have heard. */
  readonly hidden: Set<Hidden>
  /** What it has done in its open transaction. */
  log: Array<Command>
  hasTouched: boolean
  hasChanged: boolean
  held: Asked | undefined
}

const STOP = Symbol("an answer that is out of date, as it may be, and that was stored")

class Running {
  private readonly world: World
  private readonly pool: PgPool.PgPool
  private readonly tally: Tally
  private readonly pairs: readonly [Pair, Pair]
  private which: Which = 0
  /** The sessions whose connections without caches have learned the types since the last change. */
  private readonly learned = new Set<Pair>()
  private isReplaying = false

  constructor(world: World, pool: PgPool.PgPool, tally: Tally) {
    this.world = world
    this.pool = pool
    this.tally = tally
    this.pairs = [this.pair(0), this.pair(1)]
  }

  private pair(who: Who): Pair {
    return {
      subject: new Seat(this.pool.connection),
      reference: new Seat(Effect.suspend(() => lent(this.world.references[this.which][who]))),
      hidden: new Set(),
      log: [],
      hasTouched: false,
      hasChanged: false,
      held: undefined
    }
  }

  get leave(): Effect.Effect<void> {
    return Effect.forEach(this.pairs, ({ reference, subject }) => Effect.andThen(subject.leave, reference.leave), {
      discard: true
    })
  }

  run(program: ReadonlyArray<Command>): Effect.Effect<string | undefined, PgError.PgError> {
    return Effect.gen({ self: this }, function* () {
      yield* this.takeAll
      let at = 0
      for (const command of program) {
        at++
        this.tally.steps++
        const wrong = yield* this.step(command)
        if (wrong === STOP) return undefined
        if (wrong !== undefined) return this.report(program.slice(0, at), wrong)
      }
      for (const { reference, subject } of this.pairs) {
        yield* subject.rollBackAll
        yield* reference.rollBackAll
      }
      const wrong = yield* this.stored
      return wrong === undefined ? undefined : this.report(program, wrong)
    })
  }

  private report(program: ReadonlyArray<Command>, wrong: string): string {
    return `${describe(program)}\n${wrong}`
  }

  private readonly takeAll: Effect.Effect<void, PgError.PgError> = Effect.suspend(() =>
    Effect.forEach(this.pairs, (pair) => this.take(pair), { discard: true, concurrency: 2 })
  )

  private take({ reference, subject }: Pair): Effect.Effect<void, PgError.PgError> {
    const { which } = this
    const port = this.world.servers.servers[which].port
    const taking = Effect.gen(function* () {
      yield* Effect.onError(
        Effect.gen(function* () {
          yield* subject.take
          const [row] = yield* subject.pg.fetchTuples("SELECT inet_server_port()")
          if (row?.[0] !== port)
            yield* new PgError.UnsupportedError({ feature: "the old server", instead: "", sql: "" })
        }),
        () => subject.leave
      )
    })
    return Effect.andThen(Effect.retry(taking, { times: 20 }), reference.take)
  }

  private readonly stored: Effect.Effect<string | undefined, PgError.PgError> = Effect.suspend(() => {
    const admins = this.world.admins[this.which]
    return Effect.gen(function* () {
      for (const sql of STORED) {
        const [ours, theirs] = yield* Effect.all([outcomeOf(admins[0].fetch(sql)), outcomeOf(admins[1].fetch(sql))])
        if (!isSame(ours, theirs))
          return `what is stored, ${sql}\n  is        ${show(ours)}\n  should be ${show(theirs)}`
      }
      return undefined
    })
  })

  // --------------------------------------------------------------------------------------------------------- steps

  private other({ who }: { readonly who: Who }): Pair {
    return this.pairs[who === 0 ? 1 : 0]
  }

  private step(command: Command): Effect.Effect<string | typeof STOP | undefined, PgError.PgError> {
    const { pool } = this
    if (command._tag !== "Call") this.learned.clear()
    switch (command._tag) {
      case "FailOver":
        return Effect.as(this.failOver, undefined)
      case "Reload":
        return Effect.as(pool.reloadSchemaState, undefined)
      case "LifetimePasses":
        letTimePass(LIFETIME_MILLIS + 1_000)
        for (const { hidden } of this.pairs) hidden.clear()
        return Effect.succeed(undefined)
      case "ChangeByOther":
        return this.changeByOther(command)
      default:
        return this.inSession(command, this.pairs[command.who])
    }
  }

  private get failOver(): Effect.Effect<void, PgError.PgError> {
    return Effect.gen({ self: this }, function* () {
      this.which = this.which === 0 ? 1 : 0
      yield* this.world.servers.failOverTo(this.which)
      yield* this.leave
      for (const pair of this.pairs) {
        this.forget(pair)
        pair.hidden.clear()
      }
      yield* this.takeAll
    })
  }

  private forget(pair: Pair): void {
    pair.log = []
    pair.hasTouched = false
    pair.hasChanged = false
    if (pair.subject.kept === undefined) pair.held = undefined
  }

  private changeByOther({ change: { hides, isTemporary, sql } }: Extract<Command, { _tag: "ChangeByOther" }>) {
    const [subject, reference] = this.world.admins[this.which]
    if (isTemporary === true) return Effect.succeed(undefined)
    if (this.pairs.some(({ hasTouched }) => hasTouched)) return Effect.succeed(undefined)
    for (const { hidden } of this.pairs) for (const each of hides) hidden.add(each)
    return Effect.map(
      Effect.all([outcomeOf(subject.executeScript(sql)), outcomeOf(reference.executeScript(sql))], { concurrency: 2 }),
      ([ours, theirs]) => (isSame(ours, theirs) ? undefined : `not the same schema: ${show(ours)}, ${show(theirs)}`)
    )
  }

  /** A command that would wait for the other session's transaction is left out. */
  private isInTheWay(command: Command & { readonly who: Who }): boolean {
    const other = this.other(command)
    if (other.hasChanged) return true
    return command._tag === "Change" && other.hasTouched
  }

  private inSession(
    command: Exclude<Command, { _tag: "FailOver" | "Reload" | "LifetimePasses" | "ChangeByOther" }>,
    pair: Pair
  ): Effect.Effect<string | typeof STOP | undefined, PgError.PgError> {
    const { reference, subject } = pair
    const both = (act: (seat: Seat) => Effect.Effect<unknown, PgError.PgError>) =>
      this.compare(pair, command, act(subject), act(reference))
    const ends = (act: (seat: Seat) => Effect.Effect<unknown, PgError.PgError>) =>
      Effect.tap(both(act), () =>
        Effect.sync(() => {
          if (subject.depth === 0) this.forget(pair)
        })
      )
    if (this.isInTheWay(command)) return Effect.succeed(undefined)
    switch (command._tag) {
      case "Begin":
        return subject.depth > 0 ? Effect.succeed(undefined) : both((seat) => seat.begin(command.byHand))
      case "Savepoint":
        return subject.depth === 0 || subject.depth > 3 ? Effect.succeed(undefined) : both((seat) => seat.savepoint())
      case "Commit":
        return ends((seat) => seat.commit())
      case "RollBack":
        return ends((seat) => seat.rollBack())
      case "GiveBack":
        return Effect.gen({ self: this }, function* () {
          yield* subject.leave
          yield* reference.leave
          this.forget(pair)
          yield* this.take(pair)
          return undefined
        })
      case "Hold":
        if (subject.depth > 0) return Effect.succeed(undefined)
        pair.held = command.asked
        return this.compare(
          pair,
          command,
          subject.keep(command.asked.sql),
          reference.pg.prepare(command.asked.sql).pipe(Effect.scoped, Effect.asVoid)
        )
      case "RunHeld": {
        const { held } = pair
        const { kept } = subject
        if (held === undefined || kept === undefined || subject.depth > 0) return Effect.succeed(undefined)
        const values = held.values?.[command.value % held.values.length] ?? []
        const expected: Effect.Effect<unknown, PgError.PgError> = reference.pg.fetch(held.sql, values)
        return this.compare(
          pair,
          { ...command, _tag: "RunHeld" },
          runPrepared(kept, held, values),
          Effect.andThen(
            reference.pg.reloadSchemaState,
            held.writes === true ? expected : Effect.all([expected, expected])
          ),
          held
        )
      }
      case "Set":
        pair.hasTouched ||= subject.depth > 0
        return both((seat) => Effect.asVoid(seat.pg.execute(command.sql)))
      case "Change": {
        const { hides, sql } = command.change
        // Run once more, such a transaction would hide the same change from the same statements again.
        const way = isUnmarked(command.way) && subject.depth > 0 ? "DO" : command.way
        if (isUnmarked(way)) for (const { hidden } of this.pairs) for (const each of hides) hidden.add(each)
        pair.hasTouched ||= subject.depth > 0
        pair.hasChanged ||= subject.depth > 0
        return both((seat) =>
          Effect.andThen(seat === reference ? seat.pg.reloadSchemaState : Effect.void, change(seat.pg, sql, way))
        )
      }
      case "Call": {
        pair.hasTouched ||= subject.depth > 0
        const kind = kindOf(command, subject.isByHand)
        const learnsAnew = !this.learned.has(pair)
        this.learned.add(pair)
        return this.compare(
          pair,
          command,
          Effect.suspend(() => ask(subject.pg, command, kind)),
          Effect.suspend(() => answer(reference.pg, command, kind, { isTransaction: reference.depth > 0, learnsAnew })),
          command.asked
        )
      }
    }
  }

  /** Asks both sides, and the pool once more if it failed. */
  private compare(
    pair: Pair,
    command: Command & { readonly who: Who },
    ours: Effect.Effect<unknown, PgError.PgError>,
    theirs: Effect.Effect<unknown, PgError.PgError>,
    asked?: Asked
  ): Effect.Effect<string | typeof STOP | undefined, PgError.PgError> {
    return Effect.gen({ self: this }, function* () {
      const isInTransaction = pair.subject.depth > 0
      const [first, right] = yield* Effect.all([outcomeOf(ours), outcomeOf(theirs)], { concurrency: 2 })
      if (!this.isReplaying && (isInTransaction || command._tag === "Begin")) pair.log.push(command)
      if (isSame(first, right, command)) {
        if ("value" in first) this.tally.answered++
        return undefined
      }
      const told = `\n  is        ${show(first)}\n  should be ${show(right)}`
      if ("value" in first) {
        return this.judge(pair, command, asked, first, right) ?? `the answer to ${describeCommand(command)}${told}`
      }
      if (this.isReplaying)
        return `the answer when the transaction was run once more, to ${describeCommand(command)}${told}`
      if (first.error.outcome !== "none" && !isReadOnly(command, asked))
        return `an error that leaves open what was done by ${describeCommand(command)}${told}`
      count(this.tally.retried, `${isInTransaction ? "in a transaction, " : ""}${first.failed}`)
      if (isInTransaction) return yield* this.replay(pair)
      const second = yield* outcomeOf(ours)
      if (isSame(second, right, command)) return undefined
      const again = `${told}\n  and then  ${show(second)}`
      return (
        ("value" in second ? this.judge(pair, command, asked, second, right) : undefined) ??
        `the answer when asked once more, to ${describeCommand(command)}${again}`
      )
    })
  }

  private judge(pair: Pair, command: Command, asked: Asked | undefined, ours: Outcome, theirs: Outcome) {
    const all = command._tag === "Call" ? [command.asked, command.next] : asked === undefined ? [] : [asked]
    const reliesOn = all.flatMap(({ reliesOn = [] }) => reliesOn).filter((each) => pair.hidden.has(each))
    if (!("value" in ours)) return undefined
    const allowance = allowanceFor(reliesOn, ours.value, theirs)
    if (allowance === undefined) return undefined
    count(this.tally.allowed, allowance)
    return STOP
  }

  /** Runs the transaction again from its beginning, on both sides. */
  private replay(pair: Pair): Effect.Effect<string | typeof STOP | undefined, PgError.PgError> {
    return Effect.gen({ self: this }, function* () {
      const { log, reference, subject } = pair
      yield* subject.rollBackAll
      yield* reference.rollBackAll
      this.learned.clear()
      for (const seat of [subject, reference]) yield* Effect.ignore(seat.pg.execute("DEALLOCATE q"))
      this.isReplaying = true
      for (const command of log) {
        const wrong = yield* this.step(command)
        if (wrong !== undefined) {
          this.isReplaying = false
          return wrong
        }
      }
      this.isReplaying = false
      return undefined
    })
  }
}
