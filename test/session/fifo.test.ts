import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Fifo } from "../../src/session/fifo.ts"
import { int } from "../wire/frames.ts"

/** The same by a plain array. */
class Model {
  readonly items: Array<number> = []
  remove(item: number): boolean {
    const index = this.items.indexOf(item)
    if (index >= 0) this.items.splice(index, 1)
    return index >= 0
  }
}

/** One step on both queues, which must answer the same. */
const steps: ReadonlyArray<(fifo: Fifo<number>, model: Model, item: number) => readonly [unknown, unknown]> = [
  (fifo, model, item) => [fifo.push(item), void model.items.push(item)],
  (fifo, model, item) => [fifo.push(item + 1), void model.items.push(item + 1)],
  (fifo, model, item) => [fifo.unshift(item), void model.items.unshift(item)],
  (fifo, model) => [fifo.shift(), model.items.shift()],
  (fifo, model, item) => [fifo.remove(item), model.remove(item)],
  (fifo, model, item) => [fifo.some((other) => other > item), model.items.some((other) => other > item)],
  (fifo, model) => [fifo.toArray(), [...model.items]]
]

const programs = Arbitrary.array(Arbitrary.all([int(0, steps.length - 1), int(0, 20)]), { maxLength: 120 })

describe("Fifo", () => {
  it.prop("is a queue, whatever is done to it in whatever order", [programs], ([program]) => {
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

  it("has nothing to give when it is empty", () => {
    const fifo = new Fifo<number>()
    assert.strictEqual(fifo.shift(), undefined)
    assert.strictEqual(fifo.peek(), undefined)
    assert.strictEqual(fifo.last(), undefined)
    assert.isFalse(fifo.remove(1))
  })

  it("holds on to nothing that has left it", () => {
    const fifo = new Fifo<object>()
    const item = {}
    fifo.push(item)
    assert.include(Object.values(fifo).flat(), item)
    fifo.shift()
    assert.notInclude(Object.values(fifo).flat(), item)
  })
})
