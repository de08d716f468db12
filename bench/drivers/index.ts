/** Lists the drivers and how to start the process of each. The runner itself loads none of them. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { Driver } from "./driver.ts"

export interface Participant {
  /** Its name on the command line and in the results. */
  readonly name: string
  readonly version: string
  readonly command: string
  readonly args: ReadonlyArray<string>
}

interface NodeDriver {
  readonly package: string
  readonly load: () => Promise<Driver>
}

const nodeDrivers: Readonly<Record<string, NodeDriver>> = {
  effectpg: {
    package: "effectpg",
    load: async () => (await import("./effectpg.ts")).driver
  },
  "effectpg-exclusive": {
    package: "effectpg",
    load: async () => (await import("./effectpg.ts")).exclusive
  },
  pg: {
    package: "pg",
    load: async () => (await import("./pg.ts")).driver
  },
  postgres: {
    package: "postgres",
    load: async () => (await import("./postgres.ts")).driver
  },
  "sql-pg": {
    package: "@effect/sql-pg",
    load: async () => (await import("./sqlPg.ts")).driver
  },
  "sql-pg-multiplexed": {
    package: "@effect/sql-pg",
    load: async () => (await import("./sqlPg.ts")).multiplexed
  }
}

/** Drivers through the `SqlClient` of effect/sql. Only `scripts/sqlClient.ts` measures them. */
const sqlClients: Readonly<Record<string, NodeDriver>> = {
  "sql-client": {
    package: "effectpg",
    load: async () => (await import("./sqlClient.ts")).ours(false)
  },
  "sql-client-multiplexed": {
    package: "effectpg",
    load: async () => (await import("./sqlClient.ts")).ours(true)
  },
  "sql-client-of-sql-pg": {
    package: "@effect/sql-pg",
    load: async () => (await import("./sqlClient.ts")).ofSqlPg(false)
  },
  "sql-client-of-sql-pg-multiplexed": {
    package: "@effect/sql-pg",
    load: async () => (await import("./sqlClient.ts")).ofSqlPg(true)
  }
}

/** Drivers that run in Bun, if it is installed. */
const bunDrivers: Readonly<Record<string, () => Promise<Driver>>> = {
  "effectpg-bun": async () => (await import("./effectpg.ts")).driver,
  "bun-sql": async () => (await import("./bunSql.ts")).driver
}

/** Loads a driver. Only the process of that driver calls this. */
export const loadDriver = (name: string): Promise<Driver> => {
  const load = (nodeDrivers[name] ?? sqlClients[name])?.load ?? bunDrivers[name]
  if (load === undefined) throw new Error(`"${name}" is no driver for Node or Bun`)
  return load()
}

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const readManifest = (manifest: string): { readonly name: string; readonly version: string } =>
  JSON.parse(fs.readFileSync(manifest, "utf8"))

/** The version of a package that this project has installed. */
const versionOf = (name: string): string => {
  const own = readManifest(file("../../package.json"))
  if (own.name === name) return own.version
  const search = createRequire(import.meta.url).resolve.paths(name) ?? []
  const manifest = search.map((directory) => path.join(directory, name, "package.json")).find(fs.existsSync)
  if (manifest === undefined) throw new Error(`${name} is not installed: run "npm install"`)
  return readManifest(manifest).version
}

const participantsOf = (drivers: Readonly<Record<string, NodeDriver>>): ReadonlyArray<Participant> =>
  Object.entries(drivers).map(([name, { package: packageName }]) => ({
    name,
    version: versionOf(packageName),
    command: process.execPath,
    args: [file("../child.ts"), name]
  }))

export const nodeParticipants: ReadonlyArray<Participant> = participantsOf(nodeDrivers)

export const sqlClientParticipants: ReadonlyArray<Participant> = participantsOf(sqlClients)

/** Empty if there is no Bun on the path, and `EFFECTPG_BENCH_BUN` names none. */
export const bunParticipants = (command = process.env["EFFECTPG_BENCH_BUN"] ?? "bun"): ReadonlyArray<Participant> => {
  try {
    const version = execFileSync(command, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
    const versions = { "effectpg-bun": `${versionOf("effectpg")} (Bun ${version.trim()})`, "bun-sql": version.trim() }
    return Object.entries(versions).map(([name, version]) => ({
      name,
      version,
      command,
      args: [file("../child.ts"), name]
    }))
  } catch {
    return []
  }
}

/** The Python on the path, and that of the system, for which the system's packages are installed. */
const pythons = ["python3", "/usr/bin/python3"]

const PRINT_VERSIONS =
  "import asyncpg, platform, uvloop; " +
  "print(f'{asyncpg.__version__} (uvloop {uvloop.__version__}, Python {platform.python_version()})')"

/** Empty if no Python has both asyncpg and uvloop. */
const asyncpg = (): ReadonlyArray<Participant> => {
  for (const command of pythons) {
    try {
      const version = execFileSync(command, ["-c", PRINT_VERSIONS], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"]
      }).trim()
      return [{ name: "asyncpg", version, command, args: [file("asyncpg_driver.py")] }]
    } catch {
      continue
    }
  }
  return []
}

export const participants = (): ReadonlyArray<Participant> => [...nodeParticipants, ...bunParticipants(), ...asyncpg()]
