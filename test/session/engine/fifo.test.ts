import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Fifo } from "../../../src/session/engine/fifo.ts"
import { int } from "../../wire/frames.ts"

/** The queue as a plain array. */
class Model {
  readonly items: Array<number> = []
  has(item: number): boolean {
    return this.items.includes(item)
  }
  remove(item: number): boolean {
    const index = this.items.indexOf(item)
    if (index >= 0) this.items.splice(index, 1)
    return index >= 0
  }
}

/** One step on both queues, which must answer equally. */
const steps: ReadonlyArray<(fifo: Fifo<number>, model: Model, item: number) => readonly [unknown, unknown]> = [
  (fifo, model, item) => (model.has(item) ? [0, 0] : [fifo.push(item), void model.items.push(item)]),
  (fifo, model, item) => (model.has(item + 1) ? [0, 0] : [fifo.push(item + 1), void model.items.push(item + 1)]),
  (fifo, model, item) => (model.has(item) ? [0, 0] : [fifo.unshift(item), void model.items.unshift(item)]),
  // Many at once, so that places are looked up in an index.
  (fifo, model, item) => {
    for (let more = 1000 + item * 100; more < 1100 + item * 100; more++) {
      if (model.has(more)) continue
      fifo.push(more)
      model.items.push(more)
    }
    return [0, 0]
  },
  (fifo, model, item) => {
    const from = 1000 + item * 100
    const each = (removes: (other: number) => boolean) =>
      Array.from({ length: 100 }, (_, n) => removes(from + ((n * 37) % 100)))
    return [each((other) => fifo.remove(other)), each((other) => model.remove(other))]
  },
  (fifo, model, item) => {
    const count = Math.min(item * 10, model.items.length)
    return [Array.from({ length: count }, () => fifo.shift()), model.items.splice(0, count)]
  },
  (fifo, model) => [fifo.shift(), model.items.shift()],
  (fifo, model, item) => [fifo.remove(item), model.remove(item)],
  (fifo, model, item) => [fifo.some((other) => other > item), model.items.some((other) => other > item)],
  (fifo, model) => [fifo.toArray(), [...model.items]]
]

const programs = Arbitrary.array(Arbitrary.all([int(0, steps.length - 1), int(0, 20)]), { maxLength: 120 })

/** Quadratic work takes minutes; linear work takes a second on a busy machine. */
const QUICK_MILLIS = 5_000

describe("Fifo", () => {
  it.prop("equals a plain array, whatever is done to it in whatever order", [programs], ([program]) => {
    const fifo = new Fifo<number>()
    const model = new Model()
    for (const [step, item] of program) {
      const [actual, expected] = steps[step]!(fifo, model, item)
      assert.deepStrictEqual(actual, expected)
      assert.strictEqual(fifo.length, model.items.length)
      assert.strictEqual(fifo.peek(), model.items[0])
      assert.strictEqual(fifo.last(), model.items.at(-1))
    }
    assert.deepStrictEqual(fifo.drain(), model.items)
    assert.strictEqual(fifo.length, 0)
  })

  it("keeps the order when it grows while its items lie around the end of its store", () => {
    const fifo = new Fifo<number>()
    for (let item = 0; item < 10; item++) fifo.push(item)
    for (let item = 0; item < 10; item++) fifo.shift()
    for (let item = 0; item < 100; item++) fifo.push(item)
    assert.deepStrictEqual(
      fifo.drain(),
      Array.from({ length: 100 }, (_, item) => item)
    )
  })

  it("gives nothing if it is empty", () => {
    const fifo = new Fifo<number>()
    assert.strictEqual(fifo.shift(), undefined)
    assert.strictEqual(fifo.peek(), undefined)
    assert.strictEqual(fifo.last(), undefined)
    assert.isFalse(fifo.remove(1))
  })

  it("keeps no reference to an item that has left it", () => {
    const fifo = new Fifo<object>()
    const item = {}
    fifo.push(item)
    assert.include(Object.values(fifo).flat(), item)
    fifo.shift()
    assert.notInclude(Object.values(fifo).flat(), item)
    const items = Array.from({ length: 1_000 }, (_, n) => ({ n }))
    for (const other of items) fifo.push(other)
    for (const other of items.slice(1, -1)) fifo.remove(other)
    for (const other of items.slice(1, -1)) assert.notInclude(Object.values(fifo).flat(), other)
    assert.strictEqual(fifo.length, 2)
  })

  it("takes 50,000 items out of its middle quickly, in any order", () => {
    const COUNT = 50_000
    const orders: ReadonlyArray<(n: number) => number> = [
      (n) => n,
      (n) => COUNT - 1 - n,
      (n) => (n * 7919) % COUNT,
      (n) => (n % 2 === 0 ? n / 2 : COUNT - (n + 1) / 2)
    ]
    for (const order of orders) {
      const fifo = new Fifo<object>()
      const items = Array.from({ length: COUNT }, (_, n) => ({ n }))
      for (const item of items) fifo.push(item)
      const began = performance.now()
      for (let n = 0; n < COUNT; n++) assert(fifo.remove(items[order(n)]!))
      assert.isBelow(performance.now() - began, QUICK_MILLIS)
      assert.strictEqual(fifo.length, 0)
    }
  })

  it("does not grow if as many items leave its middle as come, and stays quick", () => {
    const fifo = new Fifo<object>()
    const first = {}
    fifo.push(first)
    const began = performance.now()
    for (let round = 0; round < 100_000; round++) {
      const item = {}
      fifo.push(item)
      fifo.push({})
      assert(fifo.remove(item))
      if (fifo.length > 500) fifo.drain()
    }
    assert.isBelow(performance.now() - began, QUICK_MILLIS)
    const store = Object.values(fifo).find((value) => Array.isArray(value))
    assert.isAtMost(store?.length ?? Infinity, 2_048)
  })
})
