/** What Node asks an object for that is to be printed. */
export const INSPECT = Symbol.for("nodejs.util.inspect.custom")
