import { assert, describe, it } from "@effect/vitest"
import { Channels } from "../../../src/session/engine/channels.ts"

const listener = () => {}
const other = () => {}

describe("the channels of a session", () => {
  it("need a LISTEN with their first listener, and an UNLISTEN with their last", () => {
    const channels = new Channels()
    assert.isTrue(channels.add("news", listener))
    assert.isFalse(channels.add("news", other))
    assert.deepStrictEqual(channels.names, ["news"])
    assert.isFalse(channels.remove("news", listener))
    assert.isTrue(channels.has("news"))
    assert.isTrue(channels.remove("news", other))
    assert.isFalse(channels.has("news"))
  })

  it("ignore a listener that they do not have", () => {
    const channels = new Channels()
    assert.isFalse(channels.remove("news", listener))
    channels.add("news", listener)
    assert.isFalse(channels.remove("news", () => {}))
    assert.isTrue(channels.has("news"))
  })

  it("collect the ones to UNLISTEN, without those that have a listener again", () => {
    const channels = new Channels()
    assert.isTrue(channels.leave("a"))
    assert.isFalse(channels.leave("b"))
    assert.isFalse(channels.leave("a"))
    channels.add("b", listener)
    assert.deepStrictEqual(channels.takeLeft(), ["a"])
    assert.deepStrictEqual(channels.takeLeft(), [])
    assert.isTrue(channels.leave("a"))
  })

  it("deliver a notification to each listener of its channel only", () => {
    const channels = new Channels()
    const heard: Array<string> = []
    channels.add("a", ({ payload }) => heard.push(`first ${payload}`))
    channels.add("a", ({ payload }) => heard.push(`second ${payload}`))
    channels.add("b", ({ payload }) => heard.push(`other ${payload}`))
    channels.deliver({ channel: "a", payload: "1", processId: 7 })
    channels.deliver({ channel: "made by SQL", payload: "2", processId: 7 })
    assert.deepStrictEqual(heard, ["first 1", "second 1"])
  })
})
