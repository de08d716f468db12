/**
 * Runs the tests of types that come with extensions which few servers have. They are no part of `npm test`, because the
 * server that it starts has none of them. Name the extension, and a server that has it:
 *
 *   EFFECTPG_TEST_IMAGE=postgis/postgis:18-3.6 npm run extensions -- postgis
 *   EFFECTPG_TEST_IMAGE=pgvector/pgvector:pg18 npm run extensions -- pgvector
 */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/codec/extensions/*.extension.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000
  }
})
