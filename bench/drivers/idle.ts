/** Measures what idle connections use in a process of JavaScript. */
import { setTimeout as sleep } from "node:timers/promises"
import * as v8 from "node:v8"
import * as vm from "node:vm"
import type { Meter } from "../meter.ts"
import type { Task } from "../workloads/workload.ts"

type Idle = Extract<Task, { readonly kind: "idle" }>

/** Opens the connections of the task, runs `use` while they are open, and closes them. */
export type Hold = (task: Idle, use: () => Promise<void>) => Promise<unknown>

const SETTLING_MILLIS = 200
const MILLIS_PER_SECOND = 1_000
/** The first ones make the runtime load and compile code, which all others share. */
const FIRST_CONNECTIONS = 3

export const measureIdle = async (task: Idle, hold: Hold, meter: Meter): Promise<void> => {
  await hold({ ...task, connections: FIRST_CONNECTIONS }, async () => {})
  const before = await memory()
  meter.restart()
  await hold(task, async () => {
    meter.stop()
    for (let opened = 0; opened < task.connections; opened++) meter.count(1)
    const after = await memory()
    const cpuBefore = process.cpuUsage()
    await sleep(meter.seconds * MILLIS_PER_SECOND)
    const { system, user } = process.cpuUsage(cpuBefore)
    meter.idle = {
      residentBytes: (after.rss - before.rss) / task.connections,
      heapBytes: (after.heapUsed - before.heapUsed) / task.connections,
      cpuMicrosPerSecond: (system + user) / meter.seconds / task.connections
    }
  })
}

const memory = async (): Promise<NodeJS.MemoryUsage> => {
  for (let turn = 0; turn < 2; turn++) {
    collectGarbage()
    await sleep(SETTLING_MILLIS)
  }
  return process.memoryUsage()
}

const collectGarbage = (): void => {
  const scope: object = globalThis
  if (hasBun(scope)) return void scope.Bun.gc(true)
  v8.setFlagsFromString("--expose-gc")
  const collect: unknown = vm.runInNewContext("gc")
  if (typeof collect === "function") collect()
}

const hasBun = (scope: object): scope is { readonly Bun: { readonly gc: (isFull: boolean) => unknown } } =>
  "Bun" in scope
