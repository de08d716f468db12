/** Import it first: it sets DATABASE_URL to a database for the example, and takes that away when the example has ended. */
import { Effect, Exit, Scope } from "effect"
import { database } from "./database.ts"

const scope = Scope.makeUnsafe()

process.env["DATABASE_URL"] = await Effect.runPromise(Scope.provide(database, scope))
process.once("beforeExit", () => void Effect.runPromise(Scope.close(scope, Exit.void)))
