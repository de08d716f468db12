/** Measures memory after garbage collection: the process itself grows and shrinks on its own. */
import * as v8 from "node:v8"
import * as vm from "node:vm"

v8.setFlagsFromString("--expose-gc")
const gc: unknown = vm.runInNewContext("gc")

/** Frees what nothing refers to any longer. */
export const collectGarbage = (): void => {
  if (typeof gc !== "function") throw new Error("this runtime does not let its garbage be collected")
  gc()
}

/**
 * The bytes in use on the heap, which is where rows of text are; the runtime frees the buffers that they came in at a time
 * of its own.
 */
export const liveBytes = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
