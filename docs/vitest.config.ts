import { defineConfig } from "vitest/config"

/** The tests of the built site. They need a browser, and are no part of `npm test`. */
export default defineConfig({ test: { root: import.meta.dirname, include: ["test/**/*.test.ts"] } })
