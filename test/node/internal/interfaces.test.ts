import { assert, describe, it } from "@effect/vitest"
import * as AddressPolicy from "../../../src/grants/AddressPolicy.ts"
import * as Interfaces from "../../../src/node/internal/interfaces.ts"

const fail = (): ReadonlyArray<string> => {
  throw new Error("EMFILE")
}

describe("the addresses of the network interfaces", () => {
  it("are those of the system, loopback among them", () => {
    assert.include(Interfaces.addresses(), "127.0.0.1")
  })

  it("are asked for once a second, and followed when they change", () => {
    let now = 5000
    let asked = 0
    let said = ["203.0.114.7"]
    const ours = Interfaces.remembered(
      () => {
        asked++
        return said
      },
      () => now
    )
    for (let times = 0; times < 100; times++) assert.deepStrictEqual([...ours()], ["203.0.114.7"])
    said = ["203.0.114.8"]
    now = 5999
    assert.deepStrictEqual([...ours()], ["203.0.114.7"])
    assert.strictEqual(asked, 1)
    now = 6000
    assert.deepStrictEqual([...ours()], ["203.0.114.8"])
    assert.strictEqual(asked, 2)
  })

  it("stay known while the system can't tell, which is asked again until it can", () => {
    let now = 0
    let say = fail
    const ours = Interfaces.remembered(
      () => say(),
      () => now
    )
    assert.strictEqual(ours().size, 0)
    say = () => ["203.0.114.7"]
    assert.strictEqual(AddressPolicy.reach("203.0.114.7", ours()), "private")
    now = 60_000
    say = fail
    assert.strictEqual(AddressPolicy.reach("203.0.114.7", ours()), "private")
  })
})
