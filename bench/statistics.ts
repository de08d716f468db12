const ascending = (a: number, b: number): number => a - b

/** Of an even number of values, the mean of the two in the middle. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted(ascending)
  const upper = sorted[sorted.length >> 1]
  const lower = sorted[(sorted.length - 1) >> 1]
  if (upper === undefined || lower === undefined) throw new Error("no median of no values")
  return (lower + upper) / 2
}

/**
 * How much larger the one series is than the other, round by round: what disturbed the machine in a round disturbed both
 * and cancels out.
 */
export const medianRatio = (values: ReadonlyArray<number>, others: ReadonlyArray<number>): number =>
  median(values.map((value, round) => value / (others[round] ?? Number.NaN)))
