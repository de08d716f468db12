/**
 * Tests faults and interruptions while `SqlClient` and effectpg's own API share transactions, with the machinery of the
 * other campaigns.
 */
import { layer } from "@effect/vitest"
import { TestDatabase } from "../support/database.ts"
import { faultsAtBoundaries, interruptionsAtYields } from "./campaigns.ts"
import { sqlScenarios, sqlWaits } from "./sqlScenarios.ts"

/** A full run has at least so many, so that a lost scenario or fault is noticed. */
const FEWEST_AT_BOUNDARIES = 400
const FEWEST_AT_YIELDS = 700
const TEST_TIMEOUT_MILLIS = 300_000

layer(TestDatabase.layer, { excludeTestServices: true })("a fault at any message of shared transactions", (it) => {
  it.effect(
    "leaves a working pool, right answers, whole transactions, and no open session behind",
    () => faultsAtBoundaries(sqlScenarios, { fewest: FEWEST_AT_BOUNDARIES, inTurn: true }),
    TEST_TIMEOUT_MILLIS
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })(
  "an interruption at any yield of shared transactions",
  (it) => {
    it.effect(
      "leaves a working pool of one, right answers, whole transactions and all their callbacks behind",
      () => interruptionsAtYields(sqlWaits, { fewest: FEWEST_AT_YIELDS, every: 3 }),
      TEST_TIMEOUT_MILLIS
    )
  }
)
