/**
 * A process of its own that connects with libpq, because a call of libpq blocks it. Each line of its input is a question,
 * and each line of its output the answer.
 *
 *   node child.ts <path of libpq>
 */
import { createInterface } from "node:readline"
import koffi from "koffi"
import { type LibpqAnswer, type LibpqQuestion, READY } from "./messages.ts"

const [path] = process.argv.slice(2)
if (path === undefined) throw new Error("child: no path of libpq")

// `deep` keeps the library apart from the OpenSSL that Node itself contains.
const library = koffi.load(path, { deep: true })
const connectdb = library.func("void *PQconnectdb(const char *)")
const status = library.func("int PQstatus(void *)")
const errorMessage = library.func("const char *PQerrorMessage(void *)")
const sslInUse = library.func("int PQsslInUse(void *)")
const fullProtocolVersion = library.func("int PQfullProtocolVersion(void *)")
const exec = library.func("void *PQexec(void *, const char *)")
const getvalue = library.func("const char *PQgetvalue(void *, int, int)")
const clear = library.func("void PQclear(void *)")
const finish = library.func("void PQfinish(void *)")

const CONNECTION_OK = 0
/** The tests state what libpq 18 does. */
const OLDEST_VERSION = 180_000

const answerTo = ({ conninfo, home = "/nonexistent", sql }: LibpqQuestion): LibpqAnswer => {
  process.env["HOME"] = home
  const connection: unknown = connectdb(conninfo)
  try {
    if (status(connection) !== CONNECTION_OK) return { error: String(errorMessage(connection)).trim() }
    const answer = { encrypted: sslInUse(connection) === 1, protocolVersion: Number(fullProtocolVersion(connection)) }
    if (sql === undefined) return answer
    const result: unknown = exec(connection, sql)
    const value = String(getvalue(result, 0, 0) ?? "")
    clear(result)
    return { ...answer, value }
  } finally {
    finish(connection)
  }
}

const libVersion = library.func("int PQlibVersion()")
if (Number(libVersion()) < OLDEST_VERSION) process.exit()
process.stdout.write(`${READY}\n`)
createInterface({ input: process.stdin }).on("line", (line) => {
  const question: LibpqQuestion = JSON.parse(line)
  process.stdout.write(`${JSON.stringify(answerTo(question))}\n`)
})
