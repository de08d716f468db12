/** Makes a driver whose calls are effects: each loop is a fiber, and no query makes a promise. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Meter } from "../meter.ts"
import type { Address, Plan } from "../protocol.ts"
import type { Query } from "../workloads/workload.ts"
import { dealt, type Driver, type Refusal, type Row, type Session, type Skills } from "./driver.ts"
import type { Operation } from "./operation.ts"
import { refusalOf, sessionOn } from "./session.ts"

/** How the driver opens a connection or a pool, and its operations on it. */
export interface Source<On, E> {
  readonly open: (address: Address, plan: Plan) => Effect.Effect<On, E, Scope.Scope>
  readonly skills: Skills<On, Answer<E>, Effect.Effect<unknown, E>>
}

type Answer<E> = Effect.Effect<ReadonlyArray<Row>, E>

export interface Sources<C, P, E> {
  readonly connection: Source<C, E>
  readonly pool: Source<P, E>
}

export const effectDriver = <C, P, E>({ connection, pool }: Sources<C, P, E>): Driver => ({
  open: async (address, plan) => {
    switch (plan.through) {
      case "connections":
        return sessionOf(connection, plan.connections, address, plan)
      case "pool":
        return sessionOf(pool, 1, address, plan)
      case "nothing":
        return sessionOf(connecting(connection, address, plan), 1, address, plan)
    }
  }
})

const connecting = <C, E>(connection: Source<C, E>, address: Address, plan: Plan): Source<null, E> => ({
  open: () => Effect.succeed(null),
  skills: {
    connect: () => Effect.scoped(connection.open(address, plan)),
    ...(connection.skills.fetch && { hold: holding(connection.open(address, plan), connection.skills.fetch) })
  }
})

/** How many connections are being opened at a time. */
const OPENING = 10

const holding =
  <C, E>(open: Effect.Effect<C, E, Scope.Scope>, fetch: (on: C, query: Query) => Answer<E>) =>
  (_: null, query: Query, connections: number, use: () => Promise<void>): Answer<E> =>
    Effect.forEach(
      Array.from({ length: connections }),
      () => Effect.flatMap(open, (connection) => fetch(connection, query)),
      { concurrency: OPENING }
    ).pipe(
      Effect.tap(() => Effect.promise(use)),
      Effect.map((answers) => answers[0] ?? []),
      Effect.scoped
    )

const sessionOf = async <On, E>(
  { open, skills }: Source<On, E>,
  count: number,
  address: Address,
  plan: Plan
): Promise<Session | Refusal> => {
  const refusal = refusalOf(skills, plan)
  if (refusal !== undefined) return refusal
  const scope = Scope.makeUnsafe()
  const one = open(address, plan)
  const opened = await Effect.runPromise(
    Effect.all([one, ...Array.from({ length: count - 1 }, () => one)]).pipe(Scope.provide(scope))
  )
  return sessionOn({
    on: opened[0],
    skills,
    settle: (job: Effect.Effect<unknown, E>) => Effect.runPromise(job),
    loops: (operation, fibers, meter) =>
      Effect.runPromise(
        Effect.forEach(dealt(opened, fibers), (on) => loop(on, operation, meter), {
          concurrency: "unbounded",
          discard: true
        })
      ),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  })
}

const loop = <On, E>(
  on: On,
  operation: Operation<On, Effect.Effect<unknown, E>>,
  meter: Meter
): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    return Effect.flatMap(operation.run(on), (result) =>
      meter.record(startedAt, operation.rows(result)) ? loop(on, operation, meter) : Effect.void
    )
  })
