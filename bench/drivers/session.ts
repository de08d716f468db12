/** Runs the tasks of a driver on what it has opened. The loops differ between drivers with effects and with promises. */
import type { Meter } from "../meter.ts"
import type { Plan } from "../protocol.ts"
import type { Task } from "../workloads/workload.ts"
import type { Refusal, Session, Skills } from "./driver.ts"
import { measureIdle } from "./idle.ts"
import { eachOnce, openLoop, operationsOf } from "./openLoop.ts"
import { lacks, type Operation, operationOf, rowsOnce } from "./operation.ts"

export interface Opened<On, Rows, Done> {
  readonly on: On
  readonly skills: Skills<On, Rows, Done>
  readonly settle: (job: Rows | Done) => Promise<unknown>
  /** Runs an operation in that many loops, until the round is over. */
  readonly loops: (operation: Operation<On, Rows | Done>, fibers: number, meter: Meter) => Promise<unknown>
  readonly close: () => Promise<void>
}

/** Returns the refusal of a driver that lacks what the plan needs; undefined if it lacks nothing. */
export const refusalOf = (skills: Skills<never, unknown, unknown>, { task, through }: Plan): Refusal | undefined => {
  const able = task.kind === "load" ? operationsOf(skills, task) : operationOf(skills, task)
  return able === undefined ? lacks(task, through) : undefined
}

export const sessionOn = <On, Rows, Done>({ on, skills, settle, loops, close }: Opened<On, Rows, Done>): Session => ({
  once: async (task) => {
    if (task.kind !== "load") return rowsOnce(skills, task, on, settle)
    await eachOnce(skills, task, on, settle)
    return []
  },
  repeat: async (task: Task, fibers, meter) => {
    if (task.kind === "load") return openLoop(skills, task, on, meter, settle)
    const { hold } = skills
    if (task.kind === "idle" && hold !== undefined) {
      return measureIdle(task, ({ connections, query }, use) => settle(hold(on, query, connections, use)), meter)
    }
    const operation = operationOf(skills, task)
    if (operation !== undefined) await loops(operation, fibers, meter)
  },
  close
})
