import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { DnsAddresses } from "mooring/node"
import { Standstill } from "mooring/testing"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Dns from "../support/dns.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "mooring-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true }))
)

interface Files {
  readonly hosts?: string
  readonly resolvConf?: string
}

/** A resolver over files of the test's own and a DNS server of its own. */
const resolver = ({ hosts = "", resolvConf = "search ." }: Files, answer: Parameters<typeof Dns.serve>[0]) =>
  Effect.gen(function* () {
    const files = yield* folder
    const paths = { hosts: Path.join(files, "hosts"), resolvConf: Path.join(files, "resolv.conf") }
    Fs.writeFileSync(paths.hosts, hosts)
    Fs.writeFileSync(paths.resolvConf, resolvConf)
    const { asked, server } = yield* Dns.serve(answer)
    const { resolve } = DnsAddresses.make({ ...paths, servers: [server] })
    return { resolve, asked, paths, server }
  })

/** What a name resolves to, element by element, or the code of its failure. */
const resolved = (stream: ReturnType<ReturnType<typeof DnsAddresses.make>["resolve"]>) =>
  Effect.map(Effect.result(Stream.runCollect(stream)), (result) =>
    Result.isSuccess(result) ? result.success.map((addresses) => addresses.join(" ")).toSorted() : result.failure.code
  )

const turn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const nothing: Dns.Answer = { addresses: [] }
const none: Dns.Answer = { rcode: "NXDOMAIN" }

describe("DnsAddresses", () => {
  const four: Dns.Answer = { addresses: ["192.0.2.1", "192.0.2.2"] }
  const six: Dns.Answer = { addresses: ["2001:db8::1"] }
  for (const [name, a, aaaa, expected] of [
    ["both families", four, six, ["192.0.2.1 192.0.2.2", "2001:db8::1"]],
    ["A alone", four, nothing, ["192.0.2.1 192.0.2.2"]],
    ["AAAA alone", nothing, six, ["2001:db8::1"]],
    ["A, where AAAA is said not to exist", four, none, ["192.0.2.1 192.0.2.2"]],
    ["A after it was said that AAAA doesn't exist", { ...four, afterMs: 100 }, none, ["192.0.2.1 192.0.2.2"]],
    ["A, where AAAA fails", four, { rcode: "SERVFAIL" }, ["192.0.2.1 192.0.2.2"]],
    ["AAAA, where A fails", { rcode: "SERVFAIL" }, six, ["2001:db8::1"]],
    ["no record of either", nothing, nothing, "ENOTFOUND"],
    ["no such name", none, none, "ENOTFOUND"],
    ["no such name, where AAAA is silent", none, "silent", "ENOTFOUND"],
    ["no such name, where AAAA fails", none, { rcode: "SERVFAIL" }, "ENOTFOUND"],
    ["A, where AAAA is answered with what can't be one", four, four, ["192.0.2.1 192.0.2.2"]],
    ["a server that fails", { rcode: "SERVFAIL" }, { rcode: "SERVFAIL" }, "EAI_AGAIN"],
    ["a server that fails for A and has no AAAA", { rcode: "SERVFAIL" }, nothing, "EAI_AGAIN"],
    ["a server that refuses", { rcode: "REFUSED" }, { rcode: "REFUSED" }, "EAI_AGAIN"],
    ["a server that can't", { rcode: "NOTIMP" }, { rcode: "NOTIMP" }, "EAI_AGAIN"]
  ] as ReadonlyArray<readonly [string, Dns.Answer, Dns.Answer, string | ReadonlyArray<string>]>) {
    it.live(`knows ${name}`, () =>
      Effect.gen(function* () {
        const { resolve } = yield* resolver({}, (_name, kind) => (kind === "A" ? a : aaaa))
        assert.deepStrictEqual(yield* resolved(resolve("gateway.example")), expected)
      })
    )
  }

  it.effect("rule 6: gives a server up after 15 s that it had, and not for what the process stood still", () =>
    Effect.gen(function* () {
      const { asked, resolve } = yield* resolver({}, () => "silent")
      const looking = yield* Effect.forkChild(resolved(resolve("gateway.example")))
      while (asked.length < 2) yield* turn
      yield* Standstill.cause("1 minute")
      yield* TestClock.adjust(15_000 - 51)
      assert.isUndefined(looking.pollUnsafe())
      yield* TestClock.adjust(51)
      assert.strictEqual(yield* Fiber.join(looking), "ETIMEOUT")
    }).pipe(Effect.provide(Standstill.layer))
  )

  it.live("tells of one family while the other is silent", () =>
    Effect.gen(function* () {
      for (const silent of ["A", "AAAA"] as const) {
        const { resolve } = yield* resolver({}, (_name, kind) =>
          kind === silent ? "silent" : kind === "A" ? four : six
        )
        const first = yield* Stream.runHead(resolve("gateway.example"))
        assert.deepStrictEqual(first, Option.some(silent === "A" ? six.addresses : four.addresses))
      }
    })
  )

  it.live(
    "asks again where a question was lost, and takes an answer to the first one although it has asked again",
    () =>
      Effect.gen(function* () {
        const lost = yield* resolver({}, (_name, kind, nth) =>
          kind === "AAAA" ? nothing : nth === 1 ? "silent" : four
        )
        const late = yield* resolver({}, (_name, kind, nth) =>
          kind === "AAAA" ? nothing : nth === 1 ? { ...four, afterMs: 1500 } : "silent"
        )
        const [one, other] = yield* Effect.all(
          [resolved(lost.resolve("a.example")), resolved(late.resolve("a.example"))],
          {
            concurrency: 2
          }
        )
        assert.deepStrictEqual(one, ["192.0.2.1 192.0.2.2"])
        assert.deepStrictEqual(other, ["192.0.2.1 192.0.2.2"])
        assert.strictEqual(late.asked.filter((line) => line === "A a.example").length, 2)
      })
  )

  it.live("asks the next server where one fails, and doesn't wait for one that is silent", () =>
    Effect.gen(function* () {
      const fails = yield* Dns.serve(() => ({ rcode: "SERVFAIL" }))
      const silent = yield* Dns.serve(() => "silent")
      const well = yield* Dns.serve((_name, kind) => (kind === "A" ? four : nothing))
      const { paths } = yield* resolver({}, () => "silent")
      for (const first of [fails, silent]) {
        const { resolve } = DnsAddresses.make({ ...paths, servers: [first.server, well.server] })
        assert.deepStrictEqual(yield* resolved(resolve("a.example")), ["192.0.2.1 192.0.2.2"])
        assert.isAbove(first.asked.length, 0)
      }
    })
  )

  it.live("asks one server that fails four times, and each of several twice, and no more", () =>
    Effect.gen(function* () {
      const { asked, paths, resolve } = yield* resolver({}, () => ({ rcode: "SERVFAIL" }))
      assert.strictEqual(yield* resolved(resolve("a.example")), "EAI_AGAIN")
      assert.deepStrictEqual(
        asked.filter((line) => line.startsWith("A ")),
        Array.from({ length: 4 }, () => "A a.example")
      )
      const servers = yield* Effect.all([1, 2, 3].map(() => Dns.serve(() => ({ rcode: "SERVFAIL" }))))
      const several = DnsAddresses.make({ ...paths, servers: servers.map(({ server }) => server) })
      assert.strictEqual(yield* resolved(several.resolve("a.example")), "EAI_AGAIN")
      for (const { asked: lines } of servers) {
        assert.strictEqual(lines.filter((line) => line.startsWith("A ")).length, 2)
      }
    })
  )

  it.live("takes what /etc/hosts has without asking anybody", () =>
    Effect.gen(function* () {
      const hosts = "10.0.0.1 gateway.example\n::1 gateway.example localhost\n"
      const { asked, resolve } = yield* resolver({ hosts }, () => four)
      assert.deepStrictEqual(yield* resolved(resolve("gateway.example")), ["10.0.0.1 ::1"])
      assert.deepStrictEqual(yield* resolved(resolve("localhost")), ["::1"])
      assert.deepStrictEqual(asked, [])
    })
  )

  it.live("knows localhost and what is below it without any file, and asks nobody", () =>
    Effect.gen(function* () {
      const { asked, resolve } = yield* resolver({}, (_name, kind) => (kind === "A" ? four : nothing))
      for (const name of ["localhost", "chat.localhost"]) {
        assert.deepStrictEqual(yield* resolved(resolve(name)), ["::1 127.0.0.1"])
      }
      assert.deepStrictEqual(asked, [])
      yield* resolved(resolve("notlocalhost"))
      assert.strictEqual(asked.length, 2)
    })
  )

  it.live("goes through the search domains, past names that don't exist or have no address or fail", () =>
    Effect.gen(function* () {
      const resolvConf = "search one.example two.example three.example four.example\noptions ndots:2\n"
      const { asked, resolve } = yield* resolver({ resolvConf }, (name, kind) => {
        if (name.endsWith("one.example")) return none
        if (name.endsWith("two.example")) return nothing
        if (name.endsWith("three.example")) return { rcode: "SERVFAIL" }
        return kind === "A" ? four : nothing
      })
      assert.deepStrictEqual(yield* resolved(resolve("chat.gw")), ["192.0.2.1 192.0.2.2"])
      const names = asked.filter((line) => line.startsWith("A ")).map((line) => line.slice(2))
      assert.deepStrictEqual(
        [...new Set(names)],
        ["chat.gw.one.example", "chat.gw.two.example", "chat.gw.three.example", "chat.gw.four.example"]
      )
    })
  )

  it.live("says that a failure of one search domain may pass, though the others don't know the name", () =>
    Effect.gen(function* () {
      const resolvConf = "search one.example two.example\n"
      const { resolve } = yield* resolver({ resolvConf }, (name) =>
        name.endsWith("one.example") ? { rcode: "SERVFAIL" } : none
      )
      assert.strictEqual(yield* resolved(resolve("gw")), "EAI_AGAIN")
    })
  )

  it.live("notices that a file has changed", () =>
    Effect.gen(function* () {
      const { asked, paths, resolve } = yield* resolver({}, () => none)
      assert.strictEqual(yield* resolved(resolve("gw")), "ENOTFOUND")
      Fs.writeFileSync(paths.hosts, "10.0.0.1 gw")
      assert.deepStrictEqual(yield* resolved(resolve("gw")), ["10.0.0.1"])
      Fs.writeFileSync(paths.resolvConf, "search a.example\n")
      assert.strictEqual(yield* resolved(resolve("other")), "ENOTFOUND")
      assert.include(asked, "A other.a.example")
    })
  )

  it.live("asks the servers of the file, and whoever stands there later", () =>
    Effect.gen(function* () {
      // A server of the file is asked at port 53, where nobody listens on this address of loopback.
      const { paths } = yield* resolver({ resolvConf: "nameserver 127.0.0.153\nsearch .\n" }, () => none)
      const { resolve } = DnsAddresses.make(paths)
      assert.strictEqual(yield* resolved(resolve("gw.example")), "ECONNREFUSED")
    })
  )

  it.live("says that nobody answers where there is nobody to ask", () =>
    Effect.gen(function* () {
      const { paths } = yield* resolver({}, () => none)
      assert.strictEqual(yield* resolved(DnsAddresses.make({ ...paths, servers: [] }).resolve("gw")), "ETIMEOUT")
    })
  )

  it.live("says of a name that can't be one that it doesn't exist", () =>
    Effect.gen(function* () {
      const { resolve } = yield* resolver({}, () => none)
      for (const name of [`${"a".repeat(64)}.example`, `${"a.".repeat(200)}example`, "a..b"]) {
        assert.strictEqual(yield* resolved(resolve(name)), "ENOTFOUND")
      }
    })
  )
})
