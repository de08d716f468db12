/** Mutants that let the work of a Kysely leave its fiber, its transaction or its scope. */
import type { Mutant } from "./mutants.ts"

const EFFECTS = "test/kysely/effects.integration.test.ts"
const LIFETIME = "test/kysely/lifetime.integration.test.ts"
const TRANSACTIONS = "test/kysely/transactions.integration.test.ts"

export const kyselyMutants: ReadonlyArray<Mutant> = [
  {
    what: "runs a query of Kysely outside of the transaction of its fiber",
    edits: [{ file: "kysely/driver.ts", find: "caller?.context ?? this.#context", replace: "this.#context" }],
    test: EFFECTS,
    only: "a part of the transaction of its fiber"
  },
  {
    what: "lets a query of Kysely go on after its fiber is interrupted",
    edits: [
      { file: "kysely/connection.ts", find: "callerOf(options?.signal) && options?.signal", replace: "undefined" }
    ],
    test: EFFECTS,
    only: "is canceled on the server"
  },
  {
    what: "lets a query of Kysely go on after its scope has ended",
    edits: [{ file: "kysely/promises.ts", find: "Fiber.interruptAll(this.#fibers)", replace: "Effect.void" }],
    test: LIFETIME,
    only: "ends with the scope"
  },
  {
    what: "leaves a transaction of Kysely open that was rolled back",
    edits: [
      {
        file: "kysely/connection.ts",
        find: "await this.#close(transaction.scope)",
        replace: "await Promise.resolve()"
      }
    ],
    test: TRANSACTIONS,
    only: "leaves the connection that it was begun on"
  }
]
