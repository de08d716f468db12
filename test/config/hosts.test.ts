import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import type { Given } from "../../src/config/given.ts"
import { defaultAddresses, type HostAddress, listHosts } from "../../src/config/hosts.ts"
import { homeWith, refusal } from "./home.ts"

const option = (name: string, value: unknown): Given | undefined =>
  value === undefined ? undefined : { name, isText: false, value }

const text = (name: string, value: string): Given => ({ name, isText: true, value })

const tcp = (host: string, port = 5432): HostAddress => ({ _tag: "Tcp", host, port })
const at = (host: string, address: string): HostAddress => ({ _tag: "Tcp", host, address, port: 5432 })
const unix = (directory: string, port = 5432): HostAddress => ({
  _tag: "Unix",
  path: `${directory}/.s.PGSQL.${port}`,
  port
})

const table: ReadonlyArray<readonly [host: unknown, port: unknown, addresses: ReadonlyArray<HostAddress>]> = [
  ["db", undefined, [tcp("db")]],
  ["db", 6000, [tcp("db", 6000)]],
  ["a,b , c", 6000, [tcp("a", 6000), tcp("b", 6000), tcp("c", 6000)]],
  [
    ["a", "b"],
    [6000, 6001],
    [tcp("a", 6000), tcp("b", 6001)]
  ],
  [["a"], [6000], [tcp("a", 6000)]],
  ["10.0.0.1,::1,fe80::1%eth0.5", undefined, [tcp("10.0.0.1"), tcp("::1"), tcp("fe80::1%eth0.5")]],
  ["/run/pg", 6000, [unix("/run/pg", 6000)]],
  ["/run/pg/", undefined, [unix("/run/pg")]],
  ["/cloudsql/p:r:i,db", undefined, [unix("/cloudsql/p:r:i"), tcp("db")]],
  [["/with,comma"], undefined, [unix("/with,comma")]]
]

const refused: ReadonlyArray<readonly [host: unknown, port: unknown, reason: RegExp]> = [
  [["a", "b", "c"], [1, 2], /^port: has 2 ports for 3 hosts: give one port for all, or one for each host$/],
  [undefined, [1, 2], /has 2 ports for 1 hosts/],
  ["a", [], /has 0 ports for 1 hosts/],
  [[], undefined, /^host: must name at least one host$/],
  ["db:5432", undefined, /^host: must be a name, an IP address/],
  ["face:5432", undefined, /must be a name/],
  ["[::1]", undefined, /IPv6 without brackets/],
  ["p@db", undefined, /must be a name/],
  ["postgres://db/app", undefined, /must be a name/],
  [7, undefined, /^host: must be a string$/],
  [["a", undefined], undefined, /must be a string/],
  ["a\0", undefined, /NUL/],
  ["a", 0, /^port: must be an integer from 1 to 65535$/],
  ["a", 65_536, /must be an integer/],
  ["a", 1.5, /must be an integer/],
  ["a", "5432", /must be an integer/],
  ["a", [5432, undefined], /must be an integer/]
]

describe("hosts", () => {
  it.effect.each(table)("are read from %j with port %j", ([host, port, addresses]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* listHosts(option("host", host), option("port", port)), addresses)
    })
  )

  it.effect.each(refused)("are refused: %j with port %j", ([host, port, reason]) =>
    Effect.gen(function* () {
      assert.match(yield* refusal(listHosts(option("host", host), option("port", port))), reason)
    })
  )

  it.effect("have ports that a text lists, and the default port if the text leaves one out", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* listHosts(text("PGHOST", "a,b,c"), text("PGPORT", "6000,, 6001")), [
        tcp("a", 6000),
        tcp("b"),
        tcp("c", 6001)
      ])
      for (const port of ["0", "65536", "-1", "1e3", "0x10", "p", "54 32"]) {
        assert.match(
          yield* refusal(listHosts(text("PGHOST", "a"), text("PGPORT", port))),
          /^PGPORT: must be an integer from 1 to 65535$/
        )
      }
    })
  )

  const withAddresses: ReadonlyArray<
    readonly [host: string | undefined, hostaddr: string, addresses: ReadonlyArray<HostAddress>]
  > = [
    [undefined, "10.0.0.1", [at("10.0.0.1", "10.0.0.1")]],
    ["db", "10.0.0.1", [at("db", "10.0.0.1")]],
    ["a,b", "10.0.0.1, ::1", [at("a", "10.0.0.1"), at("b", "::1")]],
    ["a,b", ",fe80::1%eth0", [tcp("a"), at("b", "fe80::1%eth0")]],
    [",b", "10.0.0.1,", [at("10.0.0.1", "10.0.0.1"), tcp("b")]],
    ["/tmp", "127.0.0.1", [at("/tmp", "127.0.0.1")]]
  ]
  it.effect.each(withAddresses)("are %j with the addresses %j", ([host, hostaddr, addresses]) =>
    Effect.gen(function* () {
      const hosts = host === undefined ? undefined : text("host", host)
      assert.deepStrictEqual(yield* listHosts(hosts, undefined, text("hostaddr", hostaddr)), addresses)
      const list = hostaddr.split(",")
      assert.deepStrictEqual(yield* listHosts(hosts, undefined, option("hostaddr", list)), addresses)
    })
  )

  it.effect("are refused if an address is none, or not for each host", () =>
    Effect.gen(function* () {
      for (const hostaddr of ["db", "10.0.0", "10.0.0.256", "10.0.0.1.", "[::1]", "::1::2", "1:2", "10.0.0.1:5432"]) {
        assert.match(
          yield* refusal(listHosts(text("host", "db"), undefined, text("hostaddr", hostaddr))),
          /^hostaddr: must be an IP address, or one for each host; set the port separately$/,
          hostaddr
        )
      }
      assert.match(
        yield* refusal(listHosts(text("host", "a,b"), undefined, text("hostaddr", "::1"))),
        /^hostaddr: has 1 addresses for 2 hosts: give one for each host$/
      )
    })
  )

  it.effect("may be abstract sockets, which begin with @", () =>
    Effect.gen(function* () {
      const expected: ReadonlyArray<HostAddress> = [
        { _tag: "Unix", path: "@pg/.s.PGSQL.5432", port: 5432 },
        { _tag: "Unix", path: "@/.s.PGSQL.5432", port: 5432 }
      ]
      assert.deepStrictEqual(yield* listHosts(option("host", ["@pg", "@"]), undefined), expected)
    })
  )

  it.effect("end with localhost if they are not named, alone and in a list", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* listHosts(undefined, option("port", 6000))).at(-1), tcp("localhost", 6000))
      const listed = yield* listHosts(option("host", "a,"), option("port", [6000, 6001]))
      assert.deepStrictEqual(listed[0], tcp("a", 6000))
      assert.deepStrictEqual(listed.at(-1), tcp("localhost", 6001))
    })
  )

  it.effect("begin with the sockets that exist, each once, if no host is named", () =>
    Effect.gen(function* () {
      const home = fs.realpathSync(yield* homeWith({ "a/.s.PGSQL.6000": "", "b/.s.PGSQL.6001": "" }))
      fs.symlinkSync(path.join(home, "a"), path.join(home, "link"))
      const directories = ["link", "a", "b", "gone"].map((name) => path.join(home, name))
      assert.deepStrictEqual(yield* defaultAddresses(directories, 6000), [
        unix(path.join(home, "link"), 6000),
        tcp("localhost", 6000)
      ])
    })
  )
})
