/** A program that starts an embedded server, says so, and never stops it: it is there to be killed. */
import { startEmbedded } from "../../src/testServer/embedded.ts"

const { directory, port } = await startEmbedded()
process.stdout.write(`${JSON.stringify({ directory, port })}\n`)
setInterval(() => {}, 60_000)
