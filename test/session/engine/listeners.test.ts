import { assert, describe, it } from "@effect/vitest"
import { Listeners } from "../../../src/session/engine/listeners.ts"

describe("the listeners for an event", () => {
  it("are each called once", () => {
    const listeners = new Listeners<number>()
    const heard: Array<number> = []
    listeners.tell(1)
    listeners.add((event) => heard.push(event))
    listeners.add((event) => heard.push(event * 10))
    listeners.tell(2)
    listeners.tell(3)
    assert.deepStrictEqual(heard, [2, 20])
  })

  it("are not called after they have unsubscribed", () => {
    const listeners = new Listeners<number>()
    const heard: Array<number> = []
    listeners.add((event) => heard.push(event))()
    listeners.tell(1)
    assert.deepStrictEqual(heard, [])
  })

  it("wait for the next event if they are added during one", () => {
    const listeners = new Listeners<number>()
    const heard: Array<number> = []
    listeners.add(() => void listeners.add((event) => heard.push(event)))
    listeners.tell(1)
    assert.deepStrictEqual(heard, [])
    listeners.tell(2)
    assert.deepStrictEqual(heard, [2])
  })
})
