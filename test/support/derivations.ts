/** Counts how often Node derives a key with PBKDF2, as the hooks of the runtime see it. */
import { createHook } from "node:async_hooks"

export const derivationsOf = async <A>(
  act: () => Promise<A>
): Promise<{ readonly count: number; readonly result: A }> => {
  let count = 0
  const hook = createHook({
    init: (_, type) => {
      if (type === "PBKDF2REQUEST") count++
    }
  })
  hook.enable()
  try {
    const result = await act()
    return { count, result }
  } finally {
    hook.disable()
  }
}
