/** Computes medians of samples. */
const ascending = (a: number, b: number): number => a - b

/** The median. For an even number of values it is the mean of the two in the middle. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted(ascending)
  const upper = sorted[sorted.length >> 1]
  const lower = sorted[(sorted.length - 1) >> 1]
  if (upper === undefined || lower === undefined) throw new Error("no median of no values")
  return (lower + upper) / 2
}

/**
 * The median of the ratios of two series, round by round. A disturbance of the machine in a round affects both and
 * cancels out.
 */
export const medianRatio = (values: ReadonlyArray<number>, others: ReadonlyArray<number>): number =>
  median(values.map((value, round) => value / (others[round] ?? Number.NaN)))
