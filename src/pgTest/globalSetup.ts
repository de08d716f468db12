/**
 * Starts one server for all tests of a run: `globalSetup: ["effectpg/PgTest/globalSetup"]` in the settings of vitest. It is
 * the server at `EFFECTPG_TEST_URL`, or else a container of the image `EFFECTPG_TEST_IMAGE`, or else the embedded server.
 *
 * @since 0.1.0
 */
import { startRun } from "./run.ts"

/**
 * Starts the server, and returns how to stop it.
 *
 * @category running
 * @since 0.1.0
 */
export default (): Promise<() => Promise<void>> => startRun()
