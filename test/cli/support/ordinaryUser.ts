/** Does something as a user who may not do everything, also if the tests run as root. */

const NOBODY = 65_534

export const asOrdinaryUser = <A>(work: () => A): A => {
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    return work()
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
}
