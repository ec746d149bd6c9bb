import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Hosts from "../../src/node/internal/hosts.ts"
import * as ResolvConf from "../../src/node/internal/resolvConf.ts"
import { outOfDescriptors, SystemFile } from "../../src/node/internal/systemFile.ts"

describe("/etc/hosts", () => {
  it("is read as hosts(5) has it", () => {
    const hosts = Hosts.parse(
      [
        "# 10.0.0.1 commented",
        "",
        "127.0.0.1 localhost",
        "::1\tlocalhost ip6-localhost  ip6-loopback # 10.0.0.2",
        "  10.1.2.3   Gateway.Example gw",
        "10.1.2.4 gw#x",
        "10.1.2.3 gw",
        "fe80::1%lo0 localhost scoped",
        "not-an-address name",
        "10.9.9.9",
        "127.1 short",
        "10.0.0.3 constructor __proto__",
        "10.0.0.4 windows\r"
      ].join("\n")
    )
    assert.deepStrictEqual(
      [...hosts].toSorted(([one], [other]) => (one < other ? -1 : 1)),
      [
        ["__proto__", ["10.0.0.3"]],
        ["constructor", ["10.0.0.3"]],
        ["gateway.example", ["10.1.2.3"]],
        ["gw", ["10.1.2.3", "10.1.2.4"]],
        ["ip6-localhost", ["::1"]],
        ["ip6-loopback", ["::1"]],
        ["localhost", ["127.0.0.1", "::1"]],
        ["windows", ["10.0.0.4"]]
      ]
    )
  })
})

describe("/etc/resolv.conf", () => {
  for (const [name, text, expected] of [
    ["nothing", "", { servers: [], search: null, ndots: 1 }],
    ["comments", "# nameserver 10.0.0.1\n; nameserver 10.0.0.2\n", { servers: [], search: null, ndots: 1 }],
    [
      "all that counts",
      "nameserver 10.0.0.1\r\nnameserver  fd00::53 \nsearch a.example b.example \noptions timeout:1 ndots:5 rotate\n",
      { servers: ["10.0.0.1", "fd00::53"], search: ["a.example", "b.example"], ndots: 5 }
    ],
    ["a scoped server", "nameserver fe80::1%eth0", { servers: ["fe80::1%eth0"], search: null, ndots: 1 }],
    [
      "what is no address",
      "nameserver dns.example\nnameserver\nnameserver 1.2.3",
      { servers: [], search: null, ndots: 1 }
    ],
    [
      "more than three servers",
      "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4",
      { servers: ["10.0.0.1", "10.0.0.2", "10.0.0.3"], search: null, ndots: 1 }
    ],
    ["domain, then search", "domain a.example\nsearch b.example", { servers: [], search: ["b.example"], ndots: 1 }],
    [
      "search, then domain",
      "search b.example c.example\ndomain a.example x",
      { servers: [], search: ["a.example"], ndots: 1 }
    ],
    ["an empty domain", "domain", { servers: [], search: null, ndots: 1 }],
    ["an empty search", "search", { servers: [], search: [], ndots: 1 }],
    ["no dots at all", "options ndots:0", { servers: [], search: null, ndots: 0 }],
    ["too many dots", "options ndots:99", { servers: [], search: null, ndots: 15 }],
    [
      "dots that are none",
      "options ndots:x ndots: ndots:-1 xndots:3 ndots:3x",
      { servers: [], search: null, ndots: 1 }
    ],
    [
      "another keyword",
      "nameservers 10.0.0.1\nsortlist 10.0.0.0 ndots:5\n nameserver 10.0.0.1",
      { servers: [], search: null, ndots: 1 }
    ]
  ] as const) {
    it(`with ${name}`, () => {
      assert.deepStrictEqual<unknown>(ResolvConf.parse(text), expected)
    })
  }

  for (const [name, search, ndots, expected, hostname] of [
    ["gateway", null, 1, ["gateway"]],
    ["gateway", null, 1, ["gateway.corp.example", "gateway"], "host.corp.example"],
    ["gateway", [], 1, ["gateway"], "host.corp.example"],
    ["gateway", ["a.example", "b.example"], 1, ["gateway.a.example", "gateway.b.example", "gateway"]],
    ["gateway", ["a.example"], 0, ["gateway", "gateway.a.example"]],
    ["chat.example", ["a.example"], 1, ["chat.example", "chat.example.a.example"]],
    ["chat.example", ["a.example"], 2, ["chat.example.a.example", "chat.example"]],
    ["a.b.c.d.e.f", ["svc.cluster.local"], 5, ["a.b.c.d.e.f", "a.b.c.d.e.f.svc.cluster.local"]],
    ["a.b.c.d.e", ["svc.cluster.local"], 5, ["a.b.c.d.e.svc.cluster.local", "a.b.c.d.e"]],
    ["gateway", ["."], 1, ["gateway"]],
    ["gateway", [".a.example."], 1, ["gateway.a.example", "gateway"]]
  ] as ReadonlyArray<readonly [string, ReadonlyArray<string> | null, number, ReadonlyArray<string>, string?]>) {
    it(`${name} with search ${search?.join(" ") ?? "absent"} and ndots:${ndots} is asked for as ${expected.join(", ")}`, () => {
      const conf = { servers: [], search, ndots }
      assert.deepStrictEqual(ResolvConf.candidates(name, conf, hostname ?? "host"), [...expected])
    })
  }
})

const within = <A>(use: (path: string) => A): A => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "mooring-"))
  try {
    return use(Path.join(folder, "file"))
  } finally {
    Fs.rmSync(folder, { recursive: true })
  }
}

describe("a file of the system", () => {
  it("is read when it becomes another one, and only then", () => {
    within((path) => {
      const parsed: Array<string> = []
      const file = new SystemFile(path, (text) => {
        parsed.push(text)
        return text
      })
      assert.strictEqual(file.current, "")
      Fs.writeFileSync(path, "one")
      assert.strictEqual(file.current, "one")
      assert.strictEqual(file.current, "one")
      assert.strictEqual(parsed.filter((text) => text === "one").length, 1)
      // Another file under its name, as resolvconf and editors write it, of the same length and time.
      Fs.writeFileSync(`${path}.new`, "two")
      const { atime, mtime } = Fs.statSync(path)
      Fs.utimesSync(`${path}.new`, atime, mtime)
      Fs.renameSync(`${path}.new`, path)
      assert.strictEqual(file.current, "two")
      Fs.rmSync(path)
      assert.strictEqual(file.current, "")
      Fs.writeFileSync(path, "three")
      assert.strictEqual(file.current, "three")
    })
  })

  it("stays as it was while it can't be read", () => {
    within((path) => {
      const file = new SystemFile(path, (text) => text)
      Fs.writeFileSync(path, "one")
      assert.strictEqual(file.current, "one")
      Fs.rmSync(path)
      Fs.mkdirSync(path)
      assert.strictEqual(file.current, "one")
      Fs.rmdirSync(path)
      Fs.writeFileSync(path, "two")
      assert.strictEqual(file.current, "two")
    })
  })

  it("says nothing of descriptors while there are some", () => {
    assert.isUndefined(outOfDescriptors())
  })
})
