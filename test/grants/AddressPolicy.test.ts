import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { AddressPolicy } from "mooring"
import { either, int, list, oneOf } from "../support/arbitraries.ts"
import { authorityOf, subject } from "../support/grants.ts"

const table: ReadonlyArray<readonly [reach: AddressPolicy.Reach, addresses: ReadonlyArray<string>]> = [
  [
    "public",
    [
      "8.8.8.8",
      "1.1.1.1",
      "9.255.255.255",
      "11.0.0.0",
      "100.63.255.255",
      "100.128.0.0",
      "126.255.255.255",
      "128.0.0.0",
      "169.253.255.255",
      "169.255.0.0",
      "172.15.255.255",
      "172.32.0.0",
      "192.167.255.255",
      "192.169.0.0",
      "198.17.255.255",
      "198.20.0.0",
      "223.255.255.255",
      "2606:4700::1111",
      "2a00:1450:4001:800::200e",
      "2000::",
      "3ffe:ffff:ffff::1",
      // Translated, as behind DNS64
      "64:ff9b::5db8:d70e",
      "64:ff9b::8.8.8.8",
      // ISATAP with a public address in it, and identifiers that only look like it
      "2a00::5efe:808:808",
      "2a00::200:5efe:8.8.8.8",
      "2a00::100:5efe:10.0.0.1",
      "2a00::5eff:10.0.0.1",
      "2a00::5efe:a00:1:1"
    ]
  ],
  [
    "private",
    [
      "127.0.0.1",
      "127.255.255.255",
      "10.0.0.0",
      "10.255.255.255",
      "172.16.0.0",
      "172.31.255.255",
      "192.168.0.1",
      "192.168.255.255",
      "::1",
      "0:0:0:0:0:0:0:1",
      "fc00::1",
      "fdff:ffff::1",
      "fd00:ec2::253",
      "64:ff9b::7f00:1",
      "64:ff9b::10.0.0.1",
      "2a00::5efe:10.0.0.1",
      "2a00::200:5efe:7f00:1",
      "fd00::5efe:8.8.8.8"
    ]
  ],
  [
    "special",
    [
      "0.0.0.0",
      "0.255.255.255",
      "100.64.0.1",
      "100.100.100.200",
      "100.127.255.255",
      "169.254.0.1",
      "169.254.169.254",
      "169.254.170.2",
      "192.0.0.1",
      "192.0.0.192",
      "192.0.2.1",
      "198.18.0.1",
      "198.19.255.255",
      "198.51.100.1",
      "203.0.113.1",
      "224.0.0.1",
      "239.255.255.255",
      "240.0.0.1",
      "255.255.255.255",
      "::",
      "::ffff:0.0.0.0",
      "::ffff:169.254.169.254",
      "::ffff:a9fe:a9fe",
      "::ffff:224.0.0.1",
      "::ffff:8.8.8.8",
      "::ffff:808:808",
      "::ffff:127.0.0.1",
      "::FFFF:10.0.0.1",
      "0:0:0:0:0:ffff:c0a8:0001",
      "64:ff9b::169.254.169.254",
      "64:ff9b::",
      "64:ff9b:0:0:1::8.8.8.8",
      "64:ff9b:1::8.8.8.8",
      "2002:808:808::1",
      "2001:0:808:808::1",
      "2a00::5efe:169.254.169.254",
      "2a00::200:5efe:a9fe:a9fe",
      "fd00::5efe:169.254.169.254",
      "fe80::5efe:8.8.8.8",
      "::2",
      "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      "4000::",
      "8000::1",
      "fbff:ffff::1",
      "fe00::1",
      "fe7f::1",
      "100::1",
      "2001::1",
      "2001:db8::1",
      "2002:7f00:1::",
      "3fff::1",
      "5f00::1",
      "fd00:ec2::254",
      "FD00:0EC2:0::0254",
      "fe80::1",
      "febf::1",
      "fec0::1",
      "ff02::1"
    ]
  ],
  [
    "special",
    ["", "localhost", "example.com", "127.1", "2130706433", "1.2.3", "256.1.1.1", "[::1]", "::1/128", " 8.8.8.8"]
  ]
]

const target = (host: string, private_addresses: boolean) =>
  Effect.gen(function* () {
    const websocket = [{ scheme: "ws" as const, host, pathPrefixes: ["/"] }]
    const granted = websocket.map((each) => ({ ...each, privateAddresses: private_addresses }))
    const authority = yield* authorityOf(subject({ websocket }), { websocket: granted })
    const url = `ws://${host.includes(":") ? `[${host}]` : host}/`
    return Result.getOrThrow(authority.authorize("gateway", url))
  })

/** The registries as IANA keeps them: block, name and, where it isn't special, what it is here. */
const REGISTRIES: ReadonlyArray<readonly [block: string, name: string, reach?: AddressPolicy.Reach]> = [
  ["0.0.0.0/8", "this network"],
  ["0.0.0.0/32", "this host on this network"],
  ["10.0.0.0/8", "private use", "private"],
  ["100.64.0.0/10", "shared address space"],
  ["127.0.0.0/8", "loopback", "private"],
  ["169.254.0.0/16", "link-local"],
  ["172.16.0.0/12", "private use", "private"],
  ["192.0.0.0/24", "IETF protocol assignments"],
  ["192.0.0.0/29", "IPv4 service continuity prefix"],
  ["192.0.0.8/32", "IPv4 dummy address"],
  ["192.0.0.9/32", "port control protocol anycast"],
  ["192.0.0.10/32", "traversal using relays around NAT anycast"],
  ["192.0.0.170/32", "NAT64/DNS64 discovery"],
  ["192.0.0.171/32", "NAT64/DNS64 discovery"],
  ["192.0.2.0/24", "documentation (TEST-NET-1)"],
  ["192.31.196.0/24", "AS112-v4"],
  ["192.52.193.0/24", "AMT"],
  ["192.88.99.0/24", "deprecated (6to4 relay anycast)"],
  ["192.88.99.2/32", "6a44 relay anycast"],
  ["192.168.0.0/16", "private use", "private"],
  ["192.175.48.0/24", "direct delegation AS112 service"],
  ["198.18.0.0/15", "benchmarking"],
  ["198.51.100.0/24", "documentation (TEST-NET-2)"],
  ["203.0.113.0/24", "documentation (TEST-NET-3)"],
  ["240.0.0.0/4", "reserved"],
  ["255.255.255.255/32", "limited broadcast"],
  ["224.0.0.0/4", "multicast"],
  ["::1/128", "loopback address", "private"],
  ["::/128", "unspecified address"],
  ["::ffff:0:0/96", "IPv4-mapped address"],
  ["64:ff9b:1::/48", "IPv4-IPv6 translation, local use"],
  ["100::/64", "discard-only address block"],
  ["100:0:0:1::/64", "dummy IPv6 prefix"],
  ["2001::/23", "IETF protocol assignments"],
  ["2001::/32", "Teredo"],
  ["2001:1::1/128", "port control protocol anycast"],
  ["2001:1::2/128", "traversal using relays around NAT anycast"],
  ["2001:1::3/128", "DNS-SD service registration protocol anycast"],
  ["2001:2::/48", "benchmarking"],
  ["2001:3::/32", "AMT"],
  ["2001:4:112::/48", "AS112-v6"],
  ["2001:10::/28", "deprecated (previously ORCHID)"],
  ["2001:20::/28", "ORCHIDv2"],
  ["2001:30::/28", "drone remote ID protocol entity tags"],
  ["2001:db8::/32", "documentation"],
  ["2002::/16", "6to4"],
  ["2620:4f:8000::/48", "direct delegation AS112 service"],
  ["3fff::/20", "documentation"],
  ["5f00::/16", "segment routing (SRv6) SIDs"],
  ["fc00::/7", "unique-local", "private"],
  ["fe80::/10", "link-local unicast"],
  ["ff00::/8", "multicast"]
]

/** The first and the last address of a block, and those just outside. */
const edgesOf = (block: string) => {
  const [text = "", bits = ""] = block.split("/")
  const is4 = !text.includes(":")
  const width = is4 ? 32n : 128n
  const size = 1n << (width - BigInt(bits))
  const first = is4 ? valueOf4(text) : valueOf6(text)
  const write = is4 ? write4 : write6
  const outside = [first - 1n, first + size].filter((value) => value >= 0n && value < 1n << width)
  return { inside: [first, first + size - 1n].map(write), outside: outside.map(write) }
}

const valueOf4 = (text: string): bigint => text.split(".").reduce((value, octet) => (value << 8n) | BigInt(octet), 0n)

const valueOf6 = (text: string): bigint => {
  const [head = [], tail = []] = text.split("::").map((half) => half.split(":").filter((segment) => segment !== ""))
  const segments = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0"), ...tail]
  return segments.reduce((value, segment) => (value << 16n) | BigInt(`0x${segment}`), 0n)
}

const write4 = (value: bigint): string => [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".")

const write6 = (value: bigint): string =>
  [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((value >> shift) & 65_535n).toString(16)).join(":")

const contains = (block: string, address: string): boolean => {
  const is4 = !address.includes(":")
  if (is4 === block.includes(":")) return false
  const [first = "", last = ""] = edgesOf(block).inside
  const value = is4 ? valueOf4(address) : valueOf6(address)
  return is4 ? valueOf4(first) <= value && value <= valueOf4(last) : valueOf6(first) <= value && value <= valueOf6(last)
}

describe("AddressPolicy", () => {
  for (const [reach, addresses] of table) {
    it.each(addresses)(`says of '%s' that it is ${reach}`, (address) => {
      assert.strictEqual(AddressPolicy.reach(address), reach)
    })
  }

  for (const [block, name, expected = "special"] of REGISTRIES) {
    it(`knows ${block}, ${name}, of the registries, and where it ends`, () => {
      const { inside, outside } = edgesOf(block)
      for (const address of inside) assert.strictEqual(AddressPolicy.reach(address), expected, address)
      for (const address of outside) {
        const others = REGISTRIES.filter(([other]) => contains(other, address))
        const isHandedOut = !address.includes(":") || contains("2000::/3", address)
        const beyond = isHandedOut && others.length === 0 ? "public" : "special"
        const named = others.find(([, , reach]) => reach !== undefined)
        assert.strictEqual(AddressPolicy.reach(address), named?.[2] ?? beyond, address)
      }
    })
  }

  const Segments = list(either(oneOf(0, 0x5efe, 0x200, 0xffff, 0x64, 0xff9b, 0x2001), int(0, 65_535)), 8, 8)
  it.effect.prop(
    "rule 1: no IPv6 address is public outside of 2000::/3, but for a translated public one",
    { segments: Segments },
    ({ segments }) =>
      Effect.sync(() => {
        const address = segments.map((segment) => segment.toString(16)).join(":")
        const [first = 0] = segments
        const isTranslated = segments.slice(0, 6).join() === [0x64, 0xff9b, 0, 0, 0, 0].join()
        if (AddressPolicy.reach(address) === "public") assert.isTrue(first >> 13 === 1 || isTranslated, address)
      }),
    { arbitrary: { runs: 1000 } }
  )

  it.each(["::127.0.0.1", "::a9fe:a9fe", "::ffff:0:7f00:1", "::ffff:0:a9fe:a9fe"])(
    "does not take '%s', which carries an IPv4 address, for a public one",
    (address) => assert.notStrictEqual(AddressPolicy.reach(address), "public")
  )

  it.each([
    ["Google Cloud", "fd20:ce::254"],
    ["AWS EKS", "fd00:ec2::23"],
    ["Scaleway", "fd00:42::42"]
  ])("reaches the metadata service of %s by literal alone", (_, address) =>
    assert.strictEqual(AddressPolicy.reach(address), "special")
  )

  it.effect("lets a granted literal through, whichever it is, because it was granted as that", () =>
    Effect.gen(function* () {
      for (const literal of ["127.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "8.8.8.8"]) {
        assert.isUndefined(AddressPolicy.denied(yield* target(literal, false), [literal]), literal)
      }
    })
  )

  it.effect(
    "lets a name resolve to public addresses, to private ones only where that is granted, to special ones never",
    () =>
      Effect.gen(function* () {
        const open = yield* target("name.example", false)
        const inside = yield* target("name.example", true)
        for (const [reach, addresses] of table) {
          for (const address of addresses) {
            const expected = reach === "public" ? undefined : address
            assert.strictEqual(AddressPolicy.denied(open, [address]), expected, address)
            const expectedInside = reach === "special" ? address : undefined
            assert.strictEqual(AddressPolicy.denied(inside, [address]), expectedInside, address)
          }
        }
      })
  )

  it.effect("checks every address that a name resolves to", () =>
    Effect.gen(function* () {
      const open = yield* target("name.example", false)
      assert.isUndefined(AddressPolicy.denied(open, ["8.8.8.8", "2606:4700::1111"]))
      assert.strictEqual(AddressPolicy.denied(open, ["8.8.8.8", "10.0.0.1"]), "10.0.0.1")
      assert.strictEqual(AddressPolicy.denied(open, ["::1", "8.8.8.8"]), "::1")
      const inside = yield* target("name.example", true)
      assert.strictEqual(
        AddressPolicy.denied(inside, ["10.0.0.1", "64:ff9b::169.254.169.254"]),
        "64:ff9b::169.254.169.254"
      )
    })
  )

  it.effect("does not take a name that looks like an address, or has none, for a literal", () =>
    Effect.gen(function* () {
      const open = yield* target("127.0.0.1.nip.example", false)
      assert.strictEqual(AddressPolicy.denied(open, ["127.0.0.1"]), "127.0.0.1")
      assert.isUndefined(AddressPolicy.denied(open, []))
    })
  )

  const OURS = AddressPolicy.own(["203.0.114.7", "2A01:4f8:0:0::1", "10.0.0.9", "fe80::1", "nonsense", ""])

  it.each([
    ["203.0.114.7", "private"],
    ["203.0.114.8", "public"],
    ["2a01:4f8::1", "private"],
    ["2a01:4f8:0:0:0:0:0:1", "private"],
    ["2a01:4f8::2", "public"],
    // As a translator writes it, and within an ISATAP address.
    ["64:ff9b::203.0.114.7", "private"],
    ["2606:4700::5efe:203.0.114.7", "private"],
    ["2606:4700::5efe:203.0.114.8", "public"],
    // Its own or not, what is stricter stays.
    ["::ffff:203.0.114.7", "special"],
    ["fe80::1", "special"],
    ["10.0.0.9", "private"],
    ["127.0.0.1", "private"],
    ["169.254.169.254", "special"]
  ] as const)("takes %s for %s on a host that has some of these addresses itself", (address, expected) => {
    assert.strictEqual(AddressPolicy.reach(address, OURS), expected)
  })

  it.effect("rule 1: lets a name resolve to one of the host's own addresses only where private ones are granted", () =>
    Effect.gen(function* () {
      const own = ["203.0.114.7", "2a01:4f8::1"]
      for (const address of own) {
        assert.strictEqual(AddressPolicy.denied(yield* target("name.example", false), [address], OURS), address)
        assert.isUndefined(AddressPolicy.denied(yield* target("name.example", true), [address], OURS))
        assert.isUndefined(AddressPolicy.denied(yield* target("name.example", false), [address]))
        assert.isUndefined(AddressPolicy.denied(yield* target(address, false), [address], OURS))
      }
    })
  )
})
