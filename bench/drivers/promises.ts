/** Makes a driver whose calls are promises: each loop is an async function. */
import type { Meter } from "../meter.ts"
import type { Address, Plan } from "../protocol.ts"
import type { Query } from "../workloads/workload.ts"
import { dealt, type Driver, type Refusal, type Row, type Session, type Skills } from "./driver.ts"
import type { Operation } from "./operation.ts"
import { refusalOf, sessionOn } from "./session.ts"

/** How the driver opens a connection or a pool, and its operations on it. */
export interface Source<On> {
  readonly open: (address: Address, plan: Plan) => Promise<On>
  readonly close: (on: On) => Promise<unknown>
  readonly skills: Skills<On, Promise<ReadonlyArray<Row>>, Promise<unknown>>
}

export interface Sources<C, P> {
  readonly connection: Source<C>
  readonly pool: Source<P>
}

export const promiseDriver = <C, P>({ connection, pool }: Sources<C, P>): Driver => ({
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

const connecting = <C>(connection: Source<C>, address: Address, plan: Plan): Source<null> => ({
  open: async () => null,
  close: async () => {},
  skills: {
    connect: async () => connection.close(await connection.open(address, plan)),
    ...(connection.skills.fetch && { hold: holding(connection, connection.skills.fetch, address, plan) })
  }
})

/** How many connections are being opened at a time. */
const OPENING = 10

const holding =
  <C>(
    { close, open }: Source<C>,
    fetch: (on: C, query: Query) => Promise<ReadonlyArray<Row>>,
    address: Address,
    plan: Plan
  ) =>
  async (_: null, query: Query, connections: number, use: () => Promise<void>): Promise<ReadonlyArray<Row>> => {
    const opened: Array<C> = []
    const answers: Array<ReadonlyArray<Row>> = []
    let left = connections
    const opening = async (): Promise<void> => {
      while (left-- > 0) {
        const connection = await open(address, plan)
        opened.push(connection)
        answers.push(await fetch(connection, query))
      }
    }
    await Promise.all(Array.from({ length: OPENING }, opening))
    await use()
    await Promise.all(opened.map(close))
    return answers[0] ?? []
  }

const sessionOf = async <On>(
  { open, close, skills }: Source<On>,
  count: number,
  address: Address,
  plan: Plan
): Promise<Session | Refusal> => {
  const refusal = refusalOf(skills, plan)
  if (refusal !== undefined) return refusal
  const first = await open(address, plan)
  const others = await Promise.all(Array.from({ length: count - 1 }, () => open(address, plan)))
  const opened = [first, ...others]
  return sessionOn({
    on: first,
    skills,
    settle: (job: Promise<unknown>) => job,
    loops: (operation, fibers, meter) => Promise.all(dealt(opened, fibers).map((on) => loop(on, operation, meter))),
    close: async () => {
      await Promise.all(opened.map(close))
    }
  })
}

const loop = async <On>(on: On, operation: Operation<On, Promise<unknown>>, meter: Meter): Promise<void> => {
  for (;;) {
    const startedAt = performance.now()
    const result = await operation.run(on)
    if (!meter.record(startedAt, operation.rows(result))) return
  }
}
