/**
 * What the functions of PgTypes are given. They make constants of a program, and ask nobody: a wrong argument is a slip
 * in the program, and throws a TypeError where it stands, which says what would be right.
 */

/** Hands on what was given where it is sound. Looking at it may throw, if it is a Proxy or has a getter. */
export const sound = <A>(maker: string, takes: string, given: A, isSound: (given: A) => boolean): A => {
  try {
    if (isSound(given)) return given
  } catch {
    // It is not what is taken here.
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
