import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { importsOf, violations } from "./support/architecture.ts"

const src = fileURLToPath(new URL("../src/", import.meta.url))

const sources = new Map(
  fs
    .readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => [file.split(path.sep).join("/"), fs.readFileSync(path.join(src, file), "utf8")])
)

describe("src", () => {
  it("is built as ARCHITECTURE.md says: layers and rooms, no cycle, no outgrown file, no crowded folder", () => {
    assert.isAbove(sources.size, 10)
    assert.deepStrictEqual(violations(sources), [])
  })
})

/** A small set of files in order, with one more file. */
const withFile = (file: string, text: string): ReadonlyArray<string> =>
  violations(
    new Map([
      ["wire/limits.ts", "export const MAX = 1"],
      ["wire/coldMessages.ts", 'import { serialize } from "pg-protocol"\nimport { Buffer } from "node:buffer"'],
      ["codec/text.ts", 'import { MAX } from "../wire/limits.ts"'],
      ["PgError.ts", 'import * as Data from "effect/Data"'],
      ["session/engine/transport.ts", 'import * as net from "node:net"\nimport * as tls from "node:tls"'],
      ["PgPool.ts", 'import type { PgError } from "./PgError.ts"\nimport { MAX } from "./wire/limits.ts"'],
      ["index.ts", 'export * as PgPool from "./PgPool.ts"'],
      ["cli/program.ts", 'export const load = () => import("@effect/platform-node/NodeServices")'],
      [file, text]
    ])
  )

/** A set of files in order, with that many files in one folder. */
const filled = (folder: string, count: number): ReadonlyArray<string> =>
  violations(new Map(Array.from({ length: count }, (_, index) => [`${folder}/file${index}.ts`, ""])))

describe("the check of the architecture", () => {
  it("reports nothing about files in order", () => {
    assert.deepStrictEqual(withFile("PgClient.ts", 'import { Pool } from "./PgPool.ts"'), [])
  })

  it.each([
    ["wire", "wire/limits.ts", '"../codec/text.ts"', "codec/text.ts (codec)"],
    ["codec", "codec/text.ts", '"../PgError.ts"', "PgError.ts (vocabulary)"],
    ["vocabulary", "PgError.ts", '"./session/engine/transport.ts"', "session/engine/transport.ts (session engine)"],
    [
      "session types",
      "session/types/typeCatalogue.ts",
      '"../engine/transport.ts"',
      "session/engine/transport.ts (session engine)"
    ],
    ["session engine", "session/engine/transport.ts", '"../../PgPool.ts"', "PgPool.ts (sharing)"],
    ["sharing", "PgPool.ts", '"./index.ts"', "index.ts (front door)"],
    ["ecosystem", "PgMigrator.ts", '"./cli/program.ts"', "cli/program.ts (command line)"],
    ["command line", "cli/program.ts", '"../index.ts"', "index.ts (front door)"]
  ])("sees an import from %s upwards", (layer, file, specifier, target) => {
    for (const statement of [
      `import { x } from ${specifier}`,
      `import type { X } from ${specifier}`,
      `import ${specifier}`,
      `export * from ${specifier}`,
      `export { x } from ${specifier}`,
      `export const load = () => import(${specifier})`,
      `export type X = import(${specifier}).X`
    ]) {
      assert.include(withFile(file, statement), `${file} (${layer}) imports upwards: ${target}`, statement)
    }
  })

  it("reports a cycle, also of types, also of a file with itself", () => {
    assert.deepStrictEqual(
      violations(
        new Map([
          ["wire/a.ts", 'import "./b.ts"'],
          ["wire/b.ts", 'import type { C } from "./c.ts"'],
          ["wire/c.ts", 'import "./a.ts"'],
          ["wire/d.ts", 'import "./d.ts"\nimport "./a.ts"']
        ])
      ),
      ["cycle: wire/a.ts -> wire/b.ts -> wire/c.ts -> wire/a.ts", "cycle: wire/d.ts -> wire/d.ts"]
    )
  })

  it("reports a file that has too many lines, unless a program wrote it", () => {
    assert.deepStrictEqual(withFile("codec/long.ts", "\n".repeat(450) + "export {}"), [
      "codec/long.ts has 451 lines, more than 450"
    ])
    assert.deepStrictEqual(withFile("codec/long.ts", "\n".repeat(449) + "export {}\n"), [])
    assert.deepStrictEqual(withFile("codec/long.generated.ts", "\n".repeat(450) + "export {}"), [])
  })

  it("reports a crowded folder of mixed kinds", () => {
    assert.deepStrictEqual(filled("session/engine", 15), [])
    assert.deepStrictEqual(filled("session/engine", 16), [
      "session/engine/ has 16 files and folders of different kinds, more than 15"
    ])
    assert.deepStrictEqual(filled("codec", 50), [])
    const inFolders = new Map(Array.from({ length: 16 }, (_, index) => [`pool/folder${index}/file.ts`, ""]))
    assert.deepStrictEqual(violations(inFolders), ["pool/ has 16 files and folders of different kinds, more than 15"])
  })

  it("reports a file that has no layer, also one beside the rooms of the session", () => {
    assert.deepStrictEqual(withFile("PgSurprise.ts", ""), ["PgSurprise.ts has no place in any layer"])
    assert.deepStrictEqual(withFile("session/misc.ts", ""), ["session/misc.ts has no place in any layer"])
    assert.deepStrictEqual(withFile("util/misc.ts", ""), ["util/misc.ts has no place in any layer"])
  })

  it.each([
    ["wire/limits.ts", "effect/Effect"],
    ["codec/text.ts", "effect"],
    ["wire/limits.ts", "node:net"],
    ["codec/text.ts", "node:fs"],
    ["wire/limits.ts", "node:crypto"],
    ["wire/limits.ts", "pg-protocol"],
    ["session/opening/startup.ts", "pg-protocol/dist/serializer.js"],
    ["session/opening/startup.ts", "node:net"],
    ["PgPool.ts", "node:tls"],
    ["PgPool.ts", "lodash"],
    ["PgPool.ts", "net"],
    ["PgPool.ts", "effectpg/PgError"],
    ["PgPool.ts", "kysely"],
    ["PgSqlClient.ts", "kysely"],
    ["PgClient.ts", "@effect/platform-node/NodeServices"],
    ["cli/commands/query.ts", "@effect/platform-node/NodeServices"]
  ])("lets %s not import %s", (file, module) => {
    assert.deepStrictEqual(withFile(file, `import "${module}"`), [`${file} may not import ${module}`])
  })

  it("reports an import from outside src, and one that it cannot follow", () => {
    assert.deepStrictEqual(withFile("codec/x.ts", 'import "./gone.ts"'), [
      "codec/x.ts imports codec/gone.ts, which is not in src"
    ])
    assert.deepStrictEqual(withFile("codec/x.ts", 'import "../../test/fixtures/codec.ts"'), [
      "codec/x.ts imports ../test/fixtures/codec.ts, which is not in src"
    ])
    assert.deepStrictEqual(withFile("PgClient.ts", "export const load = (name: string) => import(name)"), [
      "PgClient.ts imports a module whose name is computed"
    ])
  })

  it("lets only what opens something load a module while it runs", () => {
    assert.deepStrictEqual(withFile("PgClient.ts", 'export const load = () => import("./PgPool.ts")'), [])
    assert.deepStrictEqual(withFile("PgError.ts", 'export const load = () => import("./wire/limits.ts")'), [
      "PgError.ts loads a module while it runs"
    ])
    assert.deepStrictEqual(withFile("PgError.ts", 'export type Max = typeof import("./wire/limits.ts")'), [])
  })

  it("does not take a string, a comment or a template for an import", () => {
    const text = '// import "./a.ts"\n/* export * from "./b.ts" */\nconst x = \'import "./c.ts"\' + `import("./d.ts")`'
    assert.deepStrictEqual(importsOf(text), [])
    assert.deepStrictEqual(importsOf('import r = require("node:fs")'), ["node:fs"])
  })
})
