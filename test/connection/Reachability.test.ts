import { assert, describe, it } from "@effect/vitest"
import {
  AddressDenied,
  ConnectionLimit,
  DialFailed,
  HandshakeRejected,
  OpenTimeout,
  type DialPhase
} from "../../src/connection/ConnectionError.ts"
import { Reachability, unreached, type Unreached } from "../../src/connection/Reachability.ts"

const url = "ws://h/"

type Row = readonly [phase: DialFailed["phase"], code: string, why: Unreached | null, waitedMs?: number]

const ROWS: ReadonlyArray<Row> = [
  ["tcp", "ENETUNREACH", "link"],
  ["tcp", "ENETUNREACH", "link", 999],
  // IPv6 has no way, and the server's IPv4 address wasn't there for three seconds.
  ["tcp", "ENETUNREACH", null, 3000],
  ["tcp", "ENETDOWN", "link"],
  ["tcp", "ENETDOWN", "link", 60_000],
  ["tcp", "EHOSTUNREACH", "link"],
  ["tcp", "EHOSTUNREACH", "link", 999],
  // Nobody answered for the address on the last link before it.
  ["tcp", "EHOSTUNREACH", null, 1000],
  ["tcp", "EHOSTUNREACH", null, 3062],
  ["tcp", "EMFILE", "host"],
  ["tcp", "ENFILE", "host"],
  ["tcp", "ENOBUFS", "host"],
  ["tcp", "EADDRNOTAVAIL", "host"],
  ["tcp", "EADDRNOTAVAIL", "host", 9000],
  // The server, or somebody before it, said no or nothing.
  ["tcp", "ECONNREFUSED", null],
  ["tcp", "ECONNRESET", null],
  ["tcp", "ETIMEDOUT", null],
  ["tcp", "EHOSTDOWN", null],
  // What the operator's own system forbids, or will never have, doesn't pass within seconds.
  ["tcp", "EACCES", null],
  ["tcp", "EPERM", null],
  ["tcp", "EINVAL", null],
  ["tcp", "EAFNOSUPPORT", null],
  ["tcp", "EUNKNOWN", null],
  ["tcp", "ETIMEOUT", null],
  ["dns", "EAI_AGAIN", "lookup"],
  ["dns", "ETIMEOUT", "lookup", 15_000],
  ["dns", "ETIMEDOUT", "lookup"],
  ["dns", "ESERVFAIL", "lookup"],
  ["dns", "EREFUSED", "lookup"],
  // Nobody at the name server's address, or no way to it.
  ["dns", "ECONNREFUSED", "lookup"],
  ["dns", "ENETUNREACH", "lookup"],
  ["dns", "EHOSTUNREACH", "lookup", 3000],
  ["dns", "ENETDOWN", "lookup"],
  ["dns", "EMFILE", "host"],
  ["dns", "ENFILE", "host"],
  // There is no such name: an answer.
  ["dns", "ENOTFOUND", null],
  ["dns", "ENODATA", null],
  ["dns", "EBADNAME", null],
  ["dns", "EUNKNOWN", null],
  ["proxy", "ENETUNREACH", "link"],
  ["proxy", "EHOSTUNREACH", null, 3000],
  ["proxy", "EMFILE", "host"],
  ["proxy", "EAI_AGAIN", "lookup"],
  ["proxy", "ECONNREFUSED", null],
  ["proxy", "ETIMEDOUT", null],
  ["proxy", "PROXY_502", null],
  ["tls", "ENETUNREACH", null],
  ["tls", "EHOSTUNREACH", null],
  ["tls", "ECONNRESET", null],
  ["url", "EUNRESOLVED", null],
  ["url", "ENETUNREACH", null],
  ["client", "EDEFECT", null],
  ["client", "EINTERRUPTED", null]
]

describe("a failed dial", () => {
  it.each(ROWS.map(([phase, code, why, waitedMs]) => ({ phase, code, why, waitedMs: waitedMs ?? 0 })))(
    "in phase $phase with $code after $waitedMs ms reached no server for: $why",
    ({ code, phase, waitedMs, why }) => {
      assert.strictEqual(unreached(new DialFailed({ url, phase, code }), waitedMs), why)
    }
  )

  const TIMED_OUT: ReadonlyArray<readonly [DialPhase, Unreached | null]> = [
    ["url", null],
    ["dns", "lookup"],
    ["proxy", null],
    ["tcp", null],
    ["tls", null],
    ["upgrade", null]
  ]

  it.each(TIMED_OUT)("that wasn't open in time, waiting for %s, reached no server for: %s", (phase, why) => {
    assert.strictEqual(unreached(new OpenTimeout({ url, phase, deadlineMs: 10_000 }), 10_000), why)
  })

  it("that a server answered, or that was none, reached one as far as this goes", () => {
    for (const error of [
      new HandshakeRejected({ url, status: 503, problem: "", retryAfterMs: null }),
      new HandshakeRejected({ url, status: null, problem: "ENETUNREACH", retryAfterMs: null }),
      new AddressDenied({ url, address: "10.0.0.1" }),
      new ConnectionLimit({ url, per: "host", limit: 1 })
    ]) {
      assert.isNull(unreached(error, 0))
    }
  })
})

describe("Reachability", () => {
  it("wakes those who wait for the same reason, and no others", () => {
    const reachability = new Reachability()
    const woken: Array<string> = []
    const waiter = (name: string) => reachability.waiter(() => woken.push(name))
    const [a, b, c] = [waiter("a"), waiter("b"), waiter("c")]
    a("link")
    b("link")
    c("lookup")
    reachability.reached("link")
    assert.deepStrictEqual(woken, ["a", "b"])
    reachability.reached("host")
    assert.lengthOf(woken, 2)
    b("lookup")
    c(null)
    a("link")
    reachability.reached("lookup")
    reachability.reached("link")
    assert.deepStrictEqual(woken, ["a", "b", "b", "a"])
    a(null)
    b(null)
    for (const why of ["link", "host", "lookup"] as const) reachability.reached(why)
    assert.lengthOf(woken, 4)
  })

  it("wakes everybody though one throws, and whoever begins or ends to wait meanwhile", () => {
    const reachability = new Reachability()
    const woken: Array<string> = []
    const first = reachability.waiter(() => {
      woken.push("first")
      first(null)
      late("link")
      throw new Error("boom")
    })
    const second = reachability.waiter(() => woken.push("second"))
    const late = reachability.waiter(() => woken.push("late"))
    first("link")
    second("link")
    assert.throws(() => reachability.reached("link"), "boom")
    assert.deepStrictEqual(woken, ["first", "second"])
  })
})
