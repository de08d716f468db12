/** Begins the calls of a load at their rate, whether or not those before them are done. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Meter } from "../meter.ts"
import type { Call, Task } from "../workloads/workload.ts"
import type { Skills } from "./driver.ts"
import { type Operation, operationOf } from "./operation.ts"

type Load = Extract<Task, { readonly kind: "load" }>

const MILLIS_PER_SECOND = 1_000
/** Calls that are due within the same millisecond begin together. */
const TICK_MILLIS = 1

/** The operations of a load, by its calls; undefined if the driver lacks one. Each call makes one of its own. */
export const operationsOf = <On, Rows, Done>(
  skills: Skills<On, Rows, Done>,
  { calls }: Load
): ReadonlyArray<() => Operation<On, Rows | Done>> | undefined => {
  const makers = calls.flatMap(({ task }) => {
    const operation = operationOf(skills, task) ?? operationOf(skills, fetchingInstead(task))
    if (operation === undefined) return []
    // Streams that run at the same time must not count the rows of each other.
    return [skills.stream && task.kind === "stream" ? () => operationOf(skills, task) ?? operation : () => operation]
  })
  return makers.length === calls.length ? makers : undefined
}

const fetchingInstead = (task: Call["task"]): Call["task"] =>
  task.kind === "stream" ? { kind: "fetch", queries: [task.query] } : task

/** Runs a load until its time is over and its last call is done. A call with a wrong number of rows counts none. */
export const openLoop = async <On, Rows, Done>(
  skills: Skills<On, Rows, Done>,
  load: Load,
  on: On,
  meter: Meter,
  settle: (job: Rows | Done) => Promise<unknown>
): Promise<void> => {
  const operations = operationsOf(skills, load) ?? []
  const { calls, order, perSecond } = load
  const running = new Set<Promise<void>>()
  const failures: Array<unknown> = []
  const begin = (made: number, dueAt: number): void => {
    const index = order[made % order.length] ?? 0
    const call = calls[index]
    const operation = operations[index]?.()
    if (call === undefined || operation === undefined) return
    const done = settle(operation.run(on)).then(
      (result) => {
        const rows = operation.rows(result) === call.rows ? 1 : 0
        if (call.isTimed) meter.record(dueAt, rows)
        else meter.count(rows)
        running.delete(done)
      },
      (failure: unknown) => {
        failures.push(failure)
      }
    )
    running.add(done)
  }
  const began = performance.now()
  const all = Math.ceil(perSecond * meter.seconds)
  for (let made = 0; made < all && failures.length === 0; await sleep(TICK_MILLIS)) {
    const due = Math.min(all, ((performance.now() - began) / MILLIS_PER_SECOND) * perSecond)
    for (; made < due; made++) begin(made, began + (made / perSecond) * MILLIS_PER_SECOND)
  }
  await Promise.all(running)
  if (failures.length > 0) throw failures[0]
}

/** Runs each call of a load once, one after the other. */
export const eachOnce = async <On, Rows, Done>(
  skills: Skills<On, Rows, Done>,
  load: Load,
  on: On,
  settle: (job: Rows | Done) => Promise<unknown>
): Promise<void> => {
  for (const operation of operationsOf(skills, load) ?? []) await settle(operation().run(on))
}
