/** Tests an interruption at every yield of a fiber, in all scenarios in which one wait may be inside another. */
import { layer } from "@effect/vitest"
import { TestDatabase } from "../support/database.ts"
import { interruptionsAtYields } from "./campaigns.ts"
import { waits } from "./scenarios.ts"

/** A full run has at least so many, so that a lost scenario is noticed. */
const FEWEST_INJECTIONS = 1_000
const TEST_TIMEOUT_MILLIS = 300_000

layer(TestDatabase.layer, { excludeTestServices: true })("an interruption at any yield", (it) => {
  it.effect(
    "leaves a working pool of one, right answers, whole transactions, and no open session behind",
    () => interruptionsAtYields(waits, { fewest: FEWEST_INJECTIONS }),
    TEST_TIMEOUT_MILLIS
  )
})
