/** Tests every fault at every message boundary of every scenario. */
import { layer } from "@effect/vitest"
import { TestDatabase } from "../support/database.ts"
import { faultsAtBoundaries } from "./campaigns.ts"
import { scenarios } from "./scenarios.ts"

/** A full run has at least so many, so that a lost scenario or fault is noticed. */
const FEWEST_INJECTIONS = 2_000
const TEST_TIMEOUT_MILLIS = 300_000

layer(TestDatabase.layer, { excludeTestServices: true })("a fault at any message boundary", (it) => {
  it.effect(
    "leaves a working pool, right answers, whole transactions, and no open session behind",
    () => faultsAtBoundaries(scenarios, { fewest: FEWEST_INJECTIONS }),
    TEST_TIMEOUT_MILLIS
  )
})
