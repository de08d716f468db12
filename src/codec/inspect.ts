/** The symbol of the method that Node calls to print an object. */
export const INSPECT = Symbol.for("nodejs.util.inspect.custom")
