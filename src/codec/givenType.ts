/**
 * Checks the arguments of the functions in PgTypes. Those functions make constants of a program, so a wrong argument is
 * a mistake in the program: it throws a TypeError at once, which says what would be right.
 */

/** Returns the argument if it is valid. Checking it may throw, if it is a Proxy or has a getter. */
export const sound = <A>(maker: string, takes: string, given: A, isSound: (given: A) => boolean): A => {
  try {
    if (isSound(given)) return given
  } catch {
    // An argument that throws when it is inspected is not valid either.
  }
  throw new TypeError(`PgTypes.${maker} takes ${takes}`)
}

interface Named {
  readonly name?: unknown
  readonly schema?: unknown
  readonly valuesAreArrays?: unknown
}

export const isNamed = ({ name, schema, valuesAreArrays }: Named): boolean =>
  typeof name === "string" && name !== "" && isOptional("string", schema) && isOptional("boolean", valuesAreArrays)

export const isOptional = (type: "string" | "boolean" | "function", value: unknown): boolean =>
  value === undefined || typeof value === type
