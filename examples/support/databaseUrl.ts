/** Sets DATABASE_URL to a schema for the example, which is dropped when the example ends. Import this file first. */
import { Effect, Exit, Scope } from "effect"
import { database } from "./database.ts"

const scope = Scope.makeUnsafe()

process.env["DATABASE_URL"] = await Effect.runPromise(Scope.provide(database, scope))
process.once("beforeExit", () => void Effect.runPromise(Scope.close(scope, Exit.void)))
