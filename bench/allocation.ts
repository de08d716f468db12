/** Measures how much memory a piece of work allocates. */
import { GCProfiler, getHeapStatistics } from "node:v8"

/**
 * Returns how many bytes V8's heap handed out while the work ran. V8 has no counter for this, but it reports how full
 * the heap was before and after each garbage collection. Between two collections the heap only grows, by what is
 * allocated. Memory outside of the heap, such as that of large buffers, is not included.
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
