import { defineConfig } from "vitest/config"

const INTEGRATION = "test/**/*.integration.test.ts"

/** Two projects, so that the server is started only when a test needs it. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [INTEGRATION],
          testTimeout: 30_000
        }
      },
      {
        test: {
          name: "integration",
          include: [INTEGRATION],
          globalSetup: ["test/support/globalSetup.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000
        }
      }
    ]
  }
})
