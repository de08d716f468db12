/** How much a piece of work allocates. */
import { GCProfiler, getHeapStatistics } from "node:v8"

/**
 * The bytes that V8's heap gave out while the work ran. There is no counter for it, but the heap only shrinks in
 * collections, and of each of these V8 says how full it was before and after: what lies between them was allocated.
 * Memory outside of the heap, such as that of large buffers, is not in it.
 */
export const allocatedBytes = async (work: () => Promise<void>): Promise<number> => {
  const profiler = new GCProfiler()
  let usedAfter = getHeapStatistics().used_heap_size
  profiler.start()
  await work()
  const usedAtEnd = getHeapStatistics().used_heap_size
  const { statistics } = profiler.stop()
  let allocated = 0
  for (const { beforeGC, afterGC } of statistics) {
    allocated += beforeGC.heapStatistics.usedHeapSize - usedAfter
    usedAfter = afterGC.heapStatistics.usedHeapSize
  }
  return allocated + usedAtEnd - usedAfter
}
