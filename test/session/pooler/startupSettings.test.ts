import { assert, describe, it } from "@effect/vitest"
import { StartupSettings } from "../../../src/session/pooler/startupSettings.ts"

const NONE: ReadonlySet<string> = new Set()

const settingsOf = (startup: Readonly<Record<string, string>>, reported: Readonly<Record<string, string>> = {}) =>
  StartupSettings.of(
    new Map(Object.entries({ user: "u", database: "d", ...startup })),
    new Map(Object.entries(reported)),
    NONE
  )

describe("the settings of a startup", () => {
  it("are none if it names only the user and the database", () => {
    assert.isUndefined(settingsOf({}))
    assert.isUndefined(settingsOf({ client_encoding: "UTF8", replication: "database", options: "" }))
  })

  it.each<readonly [string, ReadonlyArray<readonly [string, string]>]>([
    ["-c a=1", [["a", "1"]]],
    [
      "-ca=1 -c b=2",
      [
        ["a", "1"],
        ["b", "2"]
      ]
    ],
    ["--work-mem=1MB", [["work_mem", "1MB"]]],
    ["-c search_path=a,\\ b", [["search_path", "a, b"]]],
    ["-c app.x=y=z", [["app.x", "y=z"]]],
    ["-c a=\\\\", [["a", "\\"]]],
    ["-e -s", []]
  ])("are read from options: %s", (options, expected) => {
    assert.deepStrictEqual(Array.from(settingsOf({ options })?.configured ?? []), expected)
  })

  it("win over those of options, whatever the spelling", () => {
    const settings = settingsOf({ options: "-c timezone=UTC -c a=1", TimeZone: "Asia/Tokyo" })
    assert.deepStrictEqual(Array.from(settings?.configured ?? []), [
      ["a", "1"],
      ["TimeZone", "Asia/Tokyo"]
    ])
  })

  it("are lost if the server reports another value than after the startup, also of one in other words", () => {
    const settings = settingsOf({ DateStyle: "German", timezone: "utc" }, { DateStyle: "German, DMY", TimeZone: "UTC" })
    assert.isFalse(
      settings?.areLost(
        new Map([
          ["DateStyle", "German, DMY"],
          ["TimeZone", "UTC"],
          ["other", "x"]
        ])
      )
    )
    assert.isTrue(
      settings?.areLost(
        new Map([
          ["DateStyle", "ISO, MDY"],
          ["TimeZone", "UTC"]
        ])
      )
    )
    settings?.confirm(
      new Map([
        ["DateStyle", "ISO, MDY"],
        ["TimeZone", "UTC"]
      ])
    )
    assert.isFalse(
      settings?.areLost(
        new Map([
          ["DateStyle", "ISO, MDY"],
          ["TimeZone", "UTC"]
        ])
      )
    )
  })

  it("are uncertain if the server does not report them as they were configured", () => {
    const settings = settingsOf(
      { TimeZone: "asia/tokyo", work_mem: "1MB", DateStyle: "German" },
      { TimeZone: "Asia/Tokyo", DateStyle: "German, DMY" }
    )
    assert.deepStrictEqual(Array.from(settings?.uncertain.keys() ?? []), ["work_mem", "DateStyle"])
  })

  it("are set again as the startup sets them, whatever is in their values", () => {
    assert.deepStrictEqual(settingsOf({ "app.it's": "o'clock \\" })?.restoring, [
      `pg_catalog.set_config('app.it''s', E'o''clock \\\\', false)`
    ])
  })

  it("are not set again if a pooler ignores them, unless it keeps them for each client", () => {
    const startup = new Map([
      ["work_mem", "1MB"],
      ["TimeZone", "UTC"],
      ["search_path", "a"]
    ])
    const settings = StartupSettings.of(startup, new Map(), new Set(["work_mem", "TimeZone"]))
    assert.deepStrictEqual(settings?.restoring, [
      "pg_catalog.set_config('TimeZone', 'UTC', false)",
      "pg_catalog.set_config('search_path', 'a', false)"
    ])
  })
})
