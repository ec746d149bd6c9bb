/** Rule 1 for requests, through whole hosts with the real client: of what isn't granted, a server sees nothing. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ResolveAddresses } from "mooring"
import type * as Net from "node:net"
import { requestDenials, requestRefusals, requestTwin } from "../support/refusals.ts"
import * as Servers from "../support/servers.ts"
import { askingHost, type Asked } from "./support/askingHost.ts"
import { eventually } from "./support/host.ts"
import { HERE, serving, whole } from "./support/requesting.ts"

const PUBLIC = "93.184.216.34"
const COMMANDS = 16

const answers = serving(({ socket }) => socket.write(whole("x")))

/** Every name is here, and whoever asks is written down. */
const resolving = () => {
  const names: Array<string> = []
  const resolve: ResolveAddresses.Resolve = (name) => {
    names.push(name)
    return Stream.succeed(["127.0.0.1"])
  }
  return { names, resolve }
}

describe("rule 1: a request that is refused whatever is granted", () => {
  for (const [what, , urls] of requestRefusals) {
    it.live(`has ${what}: no name is looked up, and no server sees a connection`, () =>
      Effect.gen(function* () {
        const server = yield* answers
        const { names, resolve } = resolving()
        const granted = [{ scheme: "*", host: "*", private_addresses: true }] as const
        const asker = (yield* askingHost({ asker: granted }, resolve)).asker("asker")
        // Where one would go that isn't refused: to the server of the test.
        const here = (url: string) => requestTwin(url).replace(/^(https?:\/\/)h(?=[/?#]|$)/, `$1h:${server.port}`)
        const asked = urls.map((url): Asked => ["GET", here(url)])
        for (let from = 0; from < asked.length; from += COMMANDS) {
          for (const { error } of yield* asker.ask(...asked.slice(from, from + COMMANDS))) {
            assert.strictEqual(error?.tag, "CommandMalformed")
          }
        }
        assert.deepStrictEqual(names, [])
        assert.strictEqual((yield* asker.answer("GET", `http://h:${server.port}/`)).answer?.status, 200)
        assert.deepStrictEqual([names, server.sockets.length], [["h"], 1])
        assert.lengthOf(asker.seen, 1)
      })
    )
  }
})

describe("rule 1: a request that isn't granted", () => {
  it.live("is rejected, each with its result: no name is looked up, and no server sees a connection", () =>
    Effect.gen(function* () {
      const server = yield* answers
      const { names, resolve } = resolving()
      const api = { scheme: "http", host: "api.example.com", port: server.port, path_prefixes: ["/v1"] } as const
      const asker = (yield* askingHost({ asker: [{ ...api, private_addresses: true }] }, resolve)).asker("asker")
      for (const [what, method, url, tag] of requestDenials("http", server.port)) {
        const [result] = yield* asker.ask([method, url])
        const expected = tag === "TargetInvalid" ? "CommandMalformed" : "CommandUngranted"
        assert.deepInclude(result, { kind: "host_request_dispatch", status: "rejected" }, what)
        assert.strictEqual(result?.error?.tag, expected, what)
      }
      assert.deepStrictEqual(names, [])
      const allowed = `http://API.example.com.:${server.port}/v1/users?q`
      assert.strictEqual((yield* asker.answer("GET", allowed)).answer?.status, 200)
      assert.deepStrictEqual([names, server.sockets.length], [["api.example.com"], 1])
      assert.lengthOf(asker.seen, 1)
    })
  )

  it.live("is one to an address whose literal only the manifest has, or only under a wildcard the grant", () =>
    Effect.gen(function* () {
      const server = yield* answers
      const granted = [{ host: "*", private_addresses: true }]
      const { asker: ask } = yield* askingHost({ wild: granted, literal: [...granted, { host: "127.0.0.1" }] }, HERE)
      const url = `http://127.0.0.1:${server.port}/literal`
      assert.strictEqual((yield* ask("wild").ask(["GET", url]))[0]?.error?.tag, "CommandUngranted")
      assert.strictEqual(server.sockets.length, 0)
      assert.strictEqual((yield* ask("literal").answer("GET", url)).answer?.status, 200)
      const elsewhere = `http://127.0.0.1:${server.port}/`
      assert.strictEqual((yield* ask("literal").ask(["GET", elsewhere]))[0]?.error?.tag, "CommandUngranted")
      assert.strictEqual(server.sockets.length, 1)
    })
  )

  for (const status of [301, 302, 303, 307, 308]) {
    it.live(`isn't made by a redirect to it: ${status} is an answer like any`, () =>
      Effect.gen(function* () {
        const other = yield* answers
        const location = `http://other.test:${other.port}/v1`
        const server = yield* serving(({ socket }) =>
          socket.write(whole("", `${status} There`, `location: ${location}`))
        )
        const { asker: ask } = yield* askingHost({ asker: [{ host: "api.test", private_addresses: true }] }, HERE)
        const { answer } = yield* ask("asker").answer("GET", `http://api.test:${server.port}/v1`)
        assert.deepInclude(answer, { status })
        assert.strictEqual(answer?.headers["location"], location)
        const [followed] = yield* ask("asker").ask(["GET", location])
        assert.strictEqual(followed?.error?.tag, "CommandUngranted")
        assert.deepStrictEqual([server.sockets.length, other.sockets.length], [1, 0])
      })
    )
  }
})

describe("rule 1: a request to a name that is granted", () => {
  for (const [address, privately] of [
    ["127.0.0.1", false],
    ["10.0.0.1", false],
    ["::1", false],
    ["::ffff:127.0.0.1", false],
    ["fd00::1", false],
    ["64:ff9b::7f00:1", false],
    ["169.254.169.254", true],
    ["fd00:ec2::254", true],
    ["fe80::1", true]
  ] as const) {
    it.live(
      `is denied at ${address}, beside a public address too${privately ? ", though private ones are granted" : ""}`,
      () =>
        Effect.gen(function* () {
          const server = yield* answers
          for (const found of [[address], [PUBLIC, address], [address, PUBLIC]]) {
            const granted = [{ host: "api.test", private_addresses: privately }]
            const { asker: ask } = yield* askingHost({ asker: granted }, () => Stream.succeed(found))
            const { error } = yield* ask("asker").answer("GET", `http://api.test:${server.port}/`)
            assert.deepInclude(error, { tag: "AddressDenied", sent: false })
          }
          assert.strictEqual(server.sockets.length, 0)
        })
    )
  }

  it.live("is judged by each answer of that name: one that changes is denied from then on", () =>
    Effect.gen(function* () {
      const server = yield* serving(({ socket }) => socket.end(whole("x", "200 OK", "connection: close")))
      let asked = 0
      const resolve = () => Stream.succeed([asked++ === 0 ? "127.0.0.1" : "169.254.169.254"])
      const asker = (yield* askingHost({ asker: [{ host: "api.test", private_addresses: true }] }, resolve)).asker(
        "asker"
      )
      const url = `http://api.test:${server.port}/`
      assert.strictEqual((yield* asker.answer("GET", url)).answer?.status, 200)
      for (let nth = 0; nth < 3; nth++) {
        assert.deepInclude((yield* asker.answer("GET", url)).error, { tag: "AddressDenied", sent: false })
      }
      assert.strictEqual(server.sockets.length, 1)
    })
  )
})

describe("a connection belongs to whom it was checked for", () => {
  it.live("one plugin's, that waits, is no way to a private address for another", () =>
    Effect.gen(function* () {
      const server = yield* answers
      const { asker: ask } = yield* askingHost(
        { a: [{ host: "api.test", private_addresses: true }], b: [{ host: "api.test" }] },
        HERE
      )
      const url = `http://api.test:${server.port}/`
      assert.strictEqual((yield* ask("a").answer("GET", url)).answer?.status, 200)
      assert.strictEqual(server.open(), 1)
      assert.deepInclude((yield* ask("b").answer("GET", url)).error, { tag: "AddressDenied", sent: false })
      assert.strictEqual((yield* ask("a").answer("GET", url)).answer?.status, 200)
      assert.deepStrictEqual([server.sockets.length, server.open()], [1, 1])
    })
  )

  it.live("and ends with its grant: at once where it waits, as GrantRevoked where a request runs, and no other's", () =>
    Effect.gen(function* () {
      const slow: Array<Net.Socket> = []
      const server = yield* serving(({ head, socket }) => {
        if (head.includes(" /slow")) slow.push(socket)
        else socket.write(whole("x"))
      })
      const granted = { host: "api.test", private_addresses: true }
      const { asker: ask } = yield* askingHost({ a: [granted], b: [granted] }, HERE)
      const url = `http://api.test:${server.port}/`
      for (const name of ["b", "a"]) {
        yield* ask(name).ask(["GET", `${url}slow`])
        assert.strictEqual((yield* ask(name).answer("GET", url)).answer?.status, 200)
      }
      yield* eventually(
        Effect.sync(() => slow.length),
        (length) => length === 2
      )
      assert.deepStrictEqual([server.sockets.length, server.open()], [4, 4])
      yield* ask("a").grant({ ...granted, path_prefixes: ["/v2"] })
      yield* Servers.closed(server.sockets.slice(2))
      // What waits ends by itself as well, but b's has waited longer.
      assert.strictEqual(server.open(), 2)
      const told = yield* eventually(
        Effect.sync(() => ask("a").seen),
        ({ length }) => length === 2
      )
      assert.deepInclude(told[1]?.error, { tag: "GrantRevoked", sent: true })
      assert.strictEqual((yield* ask("a").ask(["GET", url]))[0]?.error?.tag, "CommandUngranted")
      // What was held for a is answered to nobody, and b's own goes on.
      for (const socket of slow) if (!socket.destroyed) socket.write(whole("late"))
      const others = yield* eventually(
        Effect.sync(() => ask("b").seen),
        ({ length }) => length === 2
      )
      assert.strictEqual(others[1]?.answer?.body, "late")
      assert.lengthOf(ask("a").seen, 2)
    })
  )
})
