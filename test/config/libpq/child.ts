/**
 * A process of its own that asks the real libpq, because its calls block and the servers of the test have to answer
 * meanwhile. It reads one question for each line of its standard input and writes one answer for each.
 */
import { createInterface } from "node:readline"
import koffi from "koffi"
import type { LibpqAnswer, LibpqMessage, LibpqQuestion } from "./library.ts"

const CONNECTION_OK = 0

const write = (message: LibpqMessage): void => void process.stdout.write(`${JSON.stringify(message)}\n`)

const [, , file = ""] = process.argv

const load = () => {
  const libpq = koffi.load(file, { deep: true })
  return {
    connect: libpq.func("void *PQconnectdb(const char *conninfo)"),
    status: libpq.func("int PQstatus(void *connection)"),
    message: libpq.func("const char *PQerrorMessage(void *connection)"),
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

const inherited = { ...process.env }

/** libpq sees exactly these variables; HOME is among them. */
const setEnvironment = (environment: Readonly<Record<string, string>>): void => {
  for (const name of Object.keys(process.env)) if (name.startsWith("PG")) delete process.env[name]
  process.env["HOME"] = inherited["HOME"]
  Object.assign(process.env, environment)
}

const main = (): void => {
  let libpq: ReturnType<typeof load>
  try {
    libpq = load()
    write({ version: libpq.version(), keywords: keywordsOf(libpq.defaults()) })
  } catch (error) {
    return write({ unavailable: error instanceof Error ? error.message : String(error) })
  }
  createInterface({ input: process.stdin }).on("line", (line) => {
    const { environment, text }: LibpqQuestion = JSON.parse(line)
    setEnvironment(environment)
    const connection = libpq.connect(text)
    const answer: LibpqAnswer = {
      isConnected: libpq.status(connection) === CONNECTION_OK,
      message: libpq.message(connection)
    }
    libpq.finish(connection)
    write(answer)
  })
}

main()
