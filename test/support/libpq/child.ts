/**
 * A process of its own that connects with the real libpq, because a call of libpq blocks it, and the servers of a test
 * have to answer meanwhile. It reads one question for each line of its input and writes one answer for each.
 *
 *   node child.ts <path of libpq>
 */
import { createInterface } from "node:readline"
import koffi from "koffi"
import type { LibpqAnswer, LibpqMessage, LibpqQuestion } from "./library.ts"

const CONNECTION_OK = 0

const write = (message: LibpqMessage): void => void process.stdout.write(`${JSON.stringify(message)}\n`)

const [, , file = ""] = process.argv

const load = () => {
  // Otherwise libpq would find the OpenSSL that is a part of Node instead of its own.
  const libpq = koffi.load(file, { deep: true })
  return {
    connect: libpq.func("void *PQconnectdb(const char *conninfo)"),
    status: libpq.func("int PQstatus(void *connection)"),
    message: libpq.func("const char *PQerrorMessage(void *connection)"),
    isEncrypted: libpq.func("int PQsslInUse(void *connection)"),
    protocolVersion: libpq.func("int PQfullProtocolVersion(void *connection)"),
    execute: libpq.func("void *PQexec(void *connection, const char *sql)"),
    value: libpq.func("const char *PQgetvalue(void *result, int row, int column)"),
    clear: libpq.func("void PQclear(void *result)"),
    finish: libpq.func("void PQfinish(void *connection)"),
    defaults: libpq.func("void *PQconndefaults()"),
    version: libpq.func("int PQlibVersion()")
  }
}

/** The members of PQconninfoOption that are read, and those between them. */
const option = koffi.struct({
  keyword: "const char *",
  variable: "const char *",
  compiled: "const char *",
  value: "const char *",
  label: "const char *",
  dispchar: "const char *",
  dispsize: "int"
})

/** Every keyword of libpq and its variable; the list ends with a NULL. */
const keywordsOf = (list: unknown): ReadonlyArray<readonly [string, string | null]> => {
  const keywords: Array<readonly [string, string | null]> = []
  for (let at = 0; ; at += koffi.sizeof(option)) {
    const { keyword, variable } = koffi.decode(list, at, option)
    if (keyword === null) return keywords
    keywords.push([keyword, variable])
  }
}

/** libpq sees no other variables of its own than these. */
const setEnvironment = (environment: LibpqQuestion["environment"]): void => {
  for (const name of Object.keys(process.env)) if (name.startsWith("PG")) delete process.env[name]
  Object.assign(process.env, environment)
}

const answerTo = (libpq: ReturnType<typeof load>, { environment, sql, text }: LibpqQuestion): LibpqAnswer => {
  setEnvironment(environment)
  const connection = libpq.connect(text)
  try {
    const message = String(libpq.message(connection) ?? "")
    if (libpq.status(connection) !== CONNECTION_OK) return { isConnected: false, message }
    const answer = {
      isConnected: true,
      message,
      encrypted: libpq.isEncrypted(connection) === 1,
      protocolVersion: Number(libpq.protocolVersion(connection))
    } as const
    if (sql === undefined) return answer
    const result = libpq.execute(connection, sql)
    const value = String(libpq.value(result, 0, 0) ?? "")
    libpq.clear(result)
    return { ...answer, value }
  } finally {
    libpq.finish(connection)
  }
}

const main = (): void => {
  let libpq: ReturnType<typeof load>
  try {
    libpq = load()
    write({ version: libpq.version(), keywords: keywordsOf(libpq.defaults()) })
  } catch (error) {
    return write({ unavailable: error instanceof Error ? error.message : String(error) })
  }
  createInterface({ input: process.stdin }).on("line", (line) => write(answerTo(libpq, JSON.parse(line))))
}

main()
