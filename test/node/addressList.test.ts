import { assert, describe, it } from "@effect/vitest"
import { AddressList } from "../../src/node/internal/addressList.ts"

const taken = (list: AddressList) => {
  const addresses: Array<string> = []
  for (let address = list.next(); address !== undefined; address = list.next()) addresses.push(address)
  return addresses
}

const SIX = ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
const FOUR = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]

describe("the addresses of a dial", () => {
  for (const [name, given, expected] of [
    ["nothing", [], []],
    ["one family as it came", FOUR, FOUR],
    ["IPv6 first, the families alternating", [...FOUR, ...SIX], [SIX[0], FOUR[0], SIX[1], FOUR[1], SIX[2], FOUR[2]]],
    ["the rest of the longer family", [FOUR[0], ...SIX], [SIX[0], FOUR[0], SIX[1], SIX[2]]],
    ["each once", [FOUR[0], FOUR[0], SIX[0], SIX[0], FOUR[0]], [SIX[0], FOUR[0]]]
  ] as ReadonlyArray<readonly [string, ReadonlyArray<string>, ReadonlyArray<string>]>) {
    it(`are ${name}`, () => {
      const list = new AddressList()
      list.add(given)
      assert.deepStrictEqual(taken(list), [...expected])
    })
  }

  it("go on with the other family where that comes late", () => {
    const list = new AddressList()
    list.add(FOUR)
    assert.strictEqual(list.next(), FOUR[0])
    assert.strictEqual(list.next(), FOUR[1])
    list.add(SIX)
    assert.deepStrictEqual(taken(list), [SIX[0], FOUR[2], SIX[1], SIX[2]])
    list.add([...FOUR, ...SIX])
    assert.deepStrictEqual(taken(list), [])
  })

  it("alternate also where the others come after all of them have been tried", () => {
    const list = new AddressList()
    list.add(SIX.slice(0, 1))
    assert.deepStrictEqual(taken(list), SIX.slice(0, 1))
    list.add([...SIX, ...FOUR])
    assert.strictEqual(list.next(), FOUR[0])
  })

  it("are at most eight of a family, of however many a name has", () => {
    const list = new AddressList()
    for (let last = 1; last <= 200; last++) list.add([`198.51.100.${last}`, `2001:db8::${last}`])
    const addresses = taken(list)
    assert.strictEqual(addresses.length, 16)
    assert.strictEqual(addresses.filter((address) => address.includes(":")).length, 8)
    list.add(["192.0.2.1"])
    assert.isUndefined(list.next())
  })

  it("tell who watches of each change, and when no more will come", () => {
    const list = new AddressList()
    let told = 0
    list.add(FOUR)
    list.watch(() => {
      told++
    })
    assert.isFalse(list.isComplete())
    list.add(SIX)
    assert.strictEqual(told, 1)
    list.complete()
    assert.strictEqual(told, 2)
    assert.isTrue(list.isComplete())
  })
})
