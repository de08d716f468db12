import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Codec } from "../../src/codec/codec.ts"
import { inlineReads } from "../../src/codec/inlineRead.ts"
import { pgType } from "../../src/codec/oid.generated.ts"
import { builtinTypes } from "../../src/codec/registry.ts"
import { compileObjects, compileTuples, MAX_COMPILED_COLUMNS } from "../../src/codec/rowReader.compiled.ts"
import { interpretObjects, interpretTuples, type ReadableColumn } from "../../src/codec/rowReader.interpreted.ts"
import {
  COMPILE_AFTER_ROWS,
  makeRowShape,
  type RowReader,
  type RowShape,
  UndecodableColumn
} from "../../src/codec/rowReader.ts"
import { Format } from "../../src/wire/backendMessage.ts"
import { ProtocolViolation, Undecodable } from "../../src/wire/failure.ts"
import { column, dataRow, int4 } from "../fixtures/dataRow.ts"

/** The longest column name that PostgreSQL gives. */
const NAMEDATALEN = 63

/** The widest result: the server refuses one more column. */
const MAX_RESULT_COLUMNS = 1664

const hostileNames = [
  "",
  "id",
  "$1",
  "_",
  "?column?",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "class",
  "await",
  "bytes",
  "interpret",
  "value0",
  "read0",
  "0",
  "007",
  "a b",
  "a-b",
  'quote"',
  "quote'",
  "back`tick${1}",
  "back\\slash",
  "new\nline",
  "line\u2028separator",
  "a: 1 } }) || process.exit(1) //",
  "größe",
  "名前",
  "🐘",
  "n".repeat(NAMEDATALEN),
  "é".repeat(31)
]

const Cell = Schema.Struct({
  name: Schema.Union([Schema.Literals(hostileNames), Schema.String]),
  value: Schema.Union([Schema.Null, Schema.String, Schema.Int.check(Schema.isInt32())])
})
type Cell = typeof Cell.Type

const codecOf = (oid: number): Codec => {
  const codec = builtinTypes.codec(oid)
  if (codec === undefined) throw new Error(`no codec for ${oid}`)
  return codec
}

const text = codecOf(pgType.text.oid)
const integer = codecOf(pgType.int4.oid)

const readable = (name: string, { name: typeName, read }: Codec): ReadableColumn => ({ name, typeName, read })

const columnsOf = (cells: ReadonlyArray<Cell>): ReadonlyArray<ReadableColumn> =>
  cells.map((cell) => readable(cell.name, typeof cell.value === "number" ? integer : text))

const rowOf = (cells: ReadonlyArray<Cell>): Buffer =>
  dataRow(
    cells.map(({ value }) =>
      value === null ? null : typeof value === "number" ? int4(value) : Buffer.from(value.toWellFormed())
    )
  )

const valuesOf = (cells: ReadonlyArray<Cell>): ReadonlyArray<unknown> =>
  cells.map(({ value }) => (typeof value === "string" ? value.toWellFormed() : value))

const ownEntries = (row: object): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(Object.getOwnPropertyDescriptors(row)).map(([name, descriptor]) => [name, descriptor.value])

const neverInterpret = (): never => {
  throw new Error("the compiled reader gave up")
}

/** How many bytes lie before and behind a row that is read among others. */
const MARGIN = 16

/** Reads the bytes between other bytes that would read as something. */
const readAmongOthers = <R>(reader: RowReader<R>, row: Uint8Array, around: number): R => {
  const margin = Buffer.alloc(MARGIN, around)
  return reader(Buffer.concat([margin, row, margin]), MARGIN, MARGIN + row.length)
}

const failureOf = (read: () => unknown): unknown => {
  try {
    read()
  } catch (thrown) {
    return thrown
  }
  return undefined
}

const readersOf = (columns: ReadonlyArray<ReadableColumn>): ReadonlyArray<RowReader<unknown>> => {
  const objects = interpretObjects(columns)
  const tuples = interpretTuples(columns)
  return [objects, tuples, compileObjects(columns, objects), compileTuples(columns, tuples)].filter(
    (reader) => reader !== undefined
  )
}

describe("rows as tuples", () => {
  it.prop("hold every value in column order, interpreted or compiled", { cells: Schema.Array(Cell) }, ({ cells }) => {
    const columns = columnsOf(cells)
    const row = rowOf(cells)
    const compiled = compileTuples(columns, neverInterpret)
    assert.isDefined(compiled)
    assert.deepStrictEqual(compiled(row, 0, row.length), valuesOf(cells))
    assert.deepStrictEqual(interpretTuples(columns)(row, 0, row.length), valuesOf(cells))
  })
})

describe("values that a compiled reader reads inline", () => {
  const narrow = [pgType.bool, pgType.int2, pgType.int4, pgType.oid, pgType.xid, pgType.cid].map(({ oid }) =>
    codecOf(oid)
  )

  it("are those of the narrow types", () => {
    assert.sameMembers(
      [...inlineReads.keys()],
      narrow.map(({ read }) => read)
    )
  })

  for (const codec of narrow) {
    const width = inlineReads.get(codec.read)?.width ?? 0
    const compiled = compileTuples([readable("a", codec), readable("b", codec)], neverInterpret)

    it.prop(`equal what the codec reads: ${codec.name}`, { value: Schema.Int.check(Schema.isInt32()) }, ({ value }) => {
      const bytes = int4(value).subarray(int4(value).length - width)
      assert.isDefined(compiled)
      for (const around of [0x00, 0xff]) {
        const expected = [codec.read(bytes, 0, width), null]
        assert.deepStrictEqual(readAmongOthers(compiled, dataRow([bytes, null]), around), expected)
      }
    })

    it(`are left to the codec if they have another width: ${codec.name}`, () => {
      assert.isDefined(compiled)
      for (const length of [0, 1, 2, 3, 4, 5, 8].filter((length) => length !== width)) {
        const row = dataRow([null, Buffer.alloc(length)])
        assert.throws(() => compiled(row, 0, row.length), "the compiled reader gave up")
      }
    })
  }
})

describe("rows as objects", () => {
  it.prop(
    "own exactly the names of the columns, and the last of equal ones wins, under any name",
    { cells: Schema.Array(Cell) },
    ({ cells }) => {
      const row = rowOf(cells)
      const object = interpretObjects(columnsOf(cells))(row, 0, row.length)
      const expected = new Map(cells.map((cell, index) => [cell.name, valuesOf(cells)[index]]))
      assert.deepStrictEqual(new Map(ownEntries(object)), expected)
      assert.strictEqual(Object.getPrototypeOf(object), Object.prototype)
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop(
    "are the same interpreted and compiled, or not compiled at all",
    { cells: Schema.Array(Cell) },
    ({ cells }) => {
      const columns = columnsOf(cells)
      const row = rowOf(cells)
      const interpreted = interpretObjects(columns)(row, 0, row.length)
      const compiled = (compileObjects(columns, neverInterpret) ?? interpretObjects(columns))(row, 0, row.length)
      assert.deepStrictEqual(ownEntries(compiled), ownEntries(interpreted))
      assert.strictEqual(Object.getPrototypeOf(compiled), Object.prototype)
    },
    { arbitrary: { runs: 300 } }
  )

  it("are compiled if all names are plain and unique, reserved words included", () => {
    const plain = ["id", "_", "$1", "class", "constructor", "bytes", "value0", "read0", "n".repeat(NAMEDATALEN)]
    const columns = plain.map((name) => readable(name, integer))
    const row = dataRow(plain.map((_, index) => int4(index)))
    const compiled = compileObjects(columns, neverInterpret)
    assert.isDefined(compiled)
    assert.deepStrictEqual(
      ownEntries(compiled(row, 0, row.length)),
      plain.map((name, index) => [name, index] as const)
    )
  })

  for (const name of hostileNames.filter((name) => !/^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name)).concat("__proto__")) {
    it(`never put the name ${JSON.stringify(name)} into generated source`, () => {
      assert.isUndefined(compileObjects([readable(name, integer)], neverInterpret))
    })
  }

  it("are not compiled if two columns have one name", () => {
    assert.isUndefined(compileObjects([readable("a", integer), readable("a", integer)], neverInterpret))
  })

  it("own a column named __proto__ without changing their prototype", () => {
    const { object } = makeRowShape([column("__proto__", pgType.jsonb.oid)], builtinTypes)
    const row = dataRow([Buffer.from('\u0001{"polluted":true}')])
    const read = object(row, 0, row.length)
    assert.deepStrictEqual(Object.getOwnPropertyDescriptor(read, "__proto__")?.value, { polluted: true })
    assert.strictEqual(Object.getPrototypeOf(read), Object.prototype)
    assert.notProperty(read, "polluted")
  })
})

describe("a row that differs from its description", () => {
  const columns = [readable("a", integer), readable("b", text), readable("c", integer)]
  const good = dataRow([int4(7), Buffer.from("seven"), null])

  const withInt32 = (at: number, value: number): Buffer => {
    const row = Buffer.from(good)
    row.writeInt32BE(value, at)
    return row
  }
  const withCount = (count: number): Buffer => {
    const row = Buffer.from(good)
    row.writeUInt16BE(count, 0)
    return row
  }
  const lengthOfA = 2
  const lengthOfB = lengthOfA + 4 + 4
  const lengthOfC = lengthOfB + 4 + 5

  const corruptions: ReadonlyArray<readonly [string, Uint8Array]> = [
    ...Array.from(
      { length: good.length },
      (_, length) => [`cut after ${length} bytes`, good.subarray(0, length)] as const
    ),
    ["a byte too many", Buffer.concat([good, Buffer.from([0])])],
    ["a column too many", Buffer.concat([good, int4(-1)])],
    ["a count of 0", withCount(0)],
    ["a count one short", withCount(2)],
    ["a count one over", withCount(4)],
    ["a count of 65,535", withCount(0xffff)],
    ["a count of 65,535 and nothing else", Buffer.from([0xff, 0xff])],
    ...[lengthOfA, lengthOfB, lengthOfC].flatMap((at) =>
      [-2, -0x80000000, 0x7fffffff, good.length].map(
        (length) => [`a length of ${length} at ${at}`, withInt32(at, length)] as const
      )
    ),
    ["a first value that runs over the others", withInt32(lengthOfA, good.length - lengthOfA - 4)],
    ["a last value with nothing behind its length", withInt32(lengthOfC, 1)],
    ["a NULL in the place of a value", withInt32(lengthOfB, -1)]
  ]

  it("is read if it is sound, whatever surrounds it", () => {
    for (const around of [0x00, 0xff]) {
      const [object, tuple, compiledObject, compiledTuple] = readersOf(columns)
      for (const reader of [object!, compiledObject!]) {
        assert.deepStrictEqual(readAmongOthers(reader, good, around), { a: 7, b: "seven", c: null })
      }
      for (const reader of [tuple!, compiledTuple!]) {
        assert.deepStrictEqual(readAmongOthers(reader, good, around), [7, "seven", null])
      }
    }
  })

  for (const [corruption, row] of corruptions) {
    it(`violates the protocol: ${corruption}`, () => {
      for (const reader of readersOf(columns)) {
        for (const around of [0x00, 0xff]) {
          const failure = failureOf(() => readAmongOthers(reader, row, around))
          assert.instanceOf(failure, ProtocolViolation)
          assert.notMatch(failure.message, /-\d+ bytes/)
        }
      }
    })
  }

  it("never makes a codec read outside the row", () => {
    const strays: Array<readonly [number, number]> = []
    const watched = columns.map((column): ReadableColumn => ({
      ...column,
      read: (bytes, start, end) => {
        if (start > end || start < MARGIN || end > bytes.length - MARGIN) strays.push([start, end])
        return null
      }
    }))
    for (const [, row] of corruptions) {
      for (const reader of readersOf(watched)) failureOf(() => readAmongOthers(reader, row, 0xff))
    }
    assert.isEmpty(strays)
  })

  it("violates the protocol even if a value is bad too, so that the session ends", () => {
    const row = Buffer.concat([dataRow([Buffer.from([1, 2]), Buffer.from("x"), null]), Buffer.from([0])])
    for (const reader of readersOf(columns)) {
      assert.instanceOf(
        failureOf(() => reader(row, 0, row.length)),
        ProtocolViolation
      )
    }
  })

  it("is empty if it has no columns, and is refused with fewer or more bytes than its count needs", () => {
    for (const reader of readersOf([])) {
      assert.isEmpty(readAmongOthers(reader, Buffer.from([0, 0]), 0))
      for (const length of [0, 1, 3]) {
        const failure = failureOf(() => readAmongOthers(reader, Buffer.alloc(length), 0))
        assert.instanceOf(failure, ProtocolViolation)
        assert.notMatch(failure.message, /-\d+ bytes/)
      }
    }
  })
})

const refusedBy = (thrown: unknown): unknown => {
  const secret: ReadableColumn = {
    name: "secret",
    typeName: "vault",
    read: () => {
      throw thrown
    }
  }
  const columns = [readable("id", integer), secret]
  const row = dataRow([int4(1), Buffer.from("hunter2")])
  const failures = readersOf(columns).map((reader) => failureOf(() => reader(row, 0, row.length)))
  for (const failure of failures) assert.deepStrictEqual(failure, failures[0])
  return failures[0]
}

describe("a value that its codec refuses", () => {
  it("is reported with its column, position and type, and the codec's reason", () => {
    const failure = refusedBy(new Undecodable("a vault has 9 bytes, but got 7"))
    assert.instanceOf(failure, UndecodableColumn)
    assert.instanceOf(failure, Undecodable)
    assert.strictEqual(failure.column, "secret")
    assert.strictEqual(failure.index, 1)
    assert.strictEqual(failure.typeName, "vault")
    assert.strictEqual(failure.message, "a vault has 9 bytes, but got 7")
  })

  it("fails alone if the codec ran over its bytes, because the row around it is sound", () => {
    const failure = refusedBy(new ProtocolViolation("a message with 2 bytes left where it needs 4"))
    assert.instanceOf(failure, UndecodableColumn)
    assert.strictEqual(failure.message, "a message with 2 bytes left where it needs 4")
  })

  it("is not quoted in the messages of other errors", () => {
    for (const thrown of [new SyntaxError('Unexpected token, "hunter2" is not valid JSON'), "hunter2", undefined]) {
      const failure = refusedBy(thrown)
      assert.instanceOf(failure, UndecodableColumn)
      assert.notInclude(failure.message, "hunter2")
      assert.match(failure.message, /^its codec threw (SyntaxError|a value of type (string|undefined))$/)
    }
  })

  it("is reported first if there are several", () => {
    const columns = [readable("a", integer), readable("b", integer)]
    const row = dataRow([Buffer.from([1]), Buffer.from([2])])
    for (const reader of readersOf(columns)) {
      const failure = failureOf(() => reader(row, 0, row.length))
      assert.instanceOf(failure, UndecodableColumn)
      assert.strictEqual(failure.column, "a")
    }
  })
})

const adHocShape = (index: number): RowShape => makeRowShape([column(`adhoc${index}`, pgType.int4.oid)], builtinTypes)

describe("makeRowShape", () => {
  const columns = [column("id", pgType.int4.oid), column("at", 16_384)]
  const row = dataRow([int4(1), Buffer.from("(1,2)")])

  it("asks for binary if the type has a codec and for text otherwise, and reads both", () => {
    const shape = makeRowShape(columns, builtinTypes)
    assert.deepStrictEqual(shape.resultFormats, [Format.binary, Format.text])
    assert.strictEqual(shape.columns, columns)
    assert.deepStrictEqual(shape.object(row, 0, row.length), { id: 1, at: "(1,2)" })
    assert.deepStrictEqual(shape.tuple(row, 0, row.length), [1, "(1,2)"])
  })

  it("asks for text if the codec wants it, and reads it by the codec", () => {
    const shape = makeRowShape(
      [column("classes", pgType.regclass.arrayOid), column("nothing", pgType.void.oid)],
      builtinTypes
    )
    assert.deepStrictEqual(shape.resultFormats, [Format.text, Format.binary])
    const row = dataRow([Buffer.from('{pg_class,NULL,"\\"a b\\""}'), Buffer.from("")])
    const expected = { classes: ["pg_class", null, '"a b"'], nothing: null }
    for (let count = 0; count <= COMPILE_AFTER_ROWS; count++) {
      assert.deepStrictEqual(shape.object(row, 0, row.length), expected)
    }
    const malformed = dataRow([Buffer.from("{"), null])
    assert.throws(
      () => shape.object(malformed, 0, malformed.length),
      UndecodableColumn,
      "has no element where one is due"
    )
  })

  it("gives statements of equal names and types the same readers, also after these are compiled", () => {
    const one = makeRowShape(columns, builtinTypes)
    const early = one.object
    assert.strictEqual(makeRowShape([...columns], builtinTypes).object, early)
    for (let count = 0; count <= COMPILE_AFTER_ROWS; count++) {
      assert.deepStrictEqual(early(row, 0, row.length), { id: 1, at: "(1,2)" })
    }
    assert.include(String(one.object), "value1 = read1(bytes", "it is compiled")
    assert.strictEqual(makeRowShape([...columns], builtinTypes).object, one.object)
    assert.deepStrictEqual(one.object(row, 0, row.length), early(row, 0, row.length))
  })

  it("keeps shapes apart that differ only in a name or a type", () => {
    const { tuple, object } = makeRowShape([column("a", pgType.int4.oid)], builtinTypes)
    assert.notStrictEqual(makeRowShape([column("b", pgType.int4.oid)], builtinTypes).object, object)
    assert.notStrictEqual(makeRowShape([column("a", pgType.oid.oid)], builtinTypes).tuple, tuple)
  })

  it("remembers a bounded number of shapes, the most recently used ones", () => {
    const first = adHocShape(0).object
    const second = adHocShape(1).object
    for (let index = 2; index < 2000; index++) {
      adHocShape(index)
      assert.strictEqual(adHocShape(0).object, first)
    }
    assert.notStrictEqual(adHocShape(1).object, second)
  })

  for (const count of [0, 1, MAX_COMPILED_COLUMNS, MAX_COMPILED_COLUMNS + 1, MAX_RESULT_COLUMNS]) {
    it(`reads ${count} columns, before and after it would compile a reader for them`, () => {
      const shape = makeRowShape(
        Array.from({ length: count }, (_, index) => column(`c${index}`, pgType.int4.oid)),
        builtinTypes
      )
      const values = Array.from({ length: count }, (_, index) => (index % 7 === 3 ? null : index))
      const row = dataRow(values.map((value) => (value === null ? null : int4(value))))
      const expected = Object.fromEntries(values.map((value, index) => [`c${index}`, value]))
      for (let round = 0; round < COMPILE_AFTER_ROWS; round++) {
        shape.object(row, 0, row.length)
        shape.tuple(row, 0, row.length)
      }
      for (let round = 0; round < 3; round++) {
        assert.deepStrictEqual(shape.object(row, 0, row.length), expected)
        assert.deepStrictEqual(shape.tuple(row, 0, row.length), values)
      }
    })
  }

  it("reads the same rows if the runtime forbids code generation", () => {
    const script = fileURLToPath(new URL("../fixtures/readRows.ts", import.meta.url))
    const run = (...flags: ReadonlyArray<string>): { readonly generatesCode: boolean; readonly rows: unknown } =>
      JSON.parse(execFileSync(process.execPath, [...flags, script], { encoding: "utf8" }))
    const forbidden = run("--disallow-code-generation-from-strings")
    const allowed = run()
    assert.isFalse(forbidden.generatesCode)
    assert.isTrue(allowed.generatesCode)
    assert.deepStrictEqual(forbidden.rows, allowed.rows)
  })
})
