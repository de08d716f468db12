/**
 * Starts a server of its own with `wal_level = logical` for an example, sets DATABASE_URL to it, and stops it when the
 * example ends. Import this file first.
 */
import { startEmbedded } from "../../test/support/server/embedded.ts"

const server = await startEmbedded({ settings: { wal_level: "logical" } })

const { database, host, password, port, user } = server
process.env["DATABASE_URL"] = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
process.once("beforeExit", () => void server.stop())
