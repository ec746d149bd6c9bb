import { assert, describe, it } from "@effect/vitest"
import { getHeapStatistics } from "node:v8"
import { limitIn } from "../../src/limits/HeapLimit.ts"

const MIB = 1024 * 1024

const limitOf = (bytes: number, execArgv: Array<string> = [], options?: string) =>
  limitIn({
    execArgv,
    env: options === undefined ? {} : { NODE_OPTIONS: options },
    getBuiltinModule: (id) => {
      assert.strictEqual(id, "node:v8")
      return { getHeapStatistics: () => ({ heap_size_limit: bytes }) }
    }
  })

describe("HeapLimit", () => {
  it("is what V8 says of this process", () => {
    assert.strictEqual(limitIn(process), getHeapStatistics().heap_size_limit)
    assert.strictEqual(limitOf(259 * MIB), 259 * MIB)
  })

  it.each([
    [["--max-old-space-size=64"], undefined, 64],
    [["--max_old_space_size=64"], undefined, 64],
    [["--enable-source-maps", "--max-old-space-size=64", "--max-old-space-size=80"], undefined, 80],
    [[], "--max-old-space-size=64", 64],
    [[], "--no-warnings  --max-old-space-size=64\t--inspect", 64],
    [["--max-old-space-size=100"], "--max-old-space-size=64", 100],
    [["--max-old-space-size=4096"], undefined, 256],
    [["--max-old-space-size", "--max-old-space-size=", "--max-old-space-size=x", "x--max-old-space-size=1"], "", 256],
    [["--max-semi-space-size=1", "--max-old-space-size=64x"], undefined, 256]
  ])("is what the old space was limited to, where that is less: %o %s", (execArgv, options, expected) =>
    assert.strictEqual(limitOf(256 * MIB, execArgv, options), expected * MIB)
  )

  it("isn't known where what is said is no limit", () => {
    for (const bytes of [0, -1, Number.NaN, Infinity, undefined as unknown as number]) {
      assert.isNull(limitOf(bytes), String(bytes))
    }
    assert.isNull(limitOf(256 * MIB, ["--max-old-space-size=0"]))
  })
})
