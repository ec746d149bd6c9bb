import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { AddressPolicy } from "mooring"
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
      "::ffff:8.8.8.8",
      "::ffff:808:808"
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
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "::FFFF:10.0.0.1",
      "0:0:0:0:0:ffff:c0a8:0001"
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
      "64:ff9b::7f00:1",
      "64:ff9b:1::1",
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

describe("AddressPolicy", () => {
  for (const [reach, addresses] of table) {
    it.each(addresses)(`says of '%s' that it is ${reach}`, (address) => {
      assert.strictEqual(AddressPolicy.reach(address), reach)
    })
  }

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
      assert.strictEqual(AddressPolicy.denied(inside, ["10.0.0.1", "::ffff:169.254.169.254"]), "::ffff:169.254.169.254")
    })
  )

  it.effect("does not take a name that looks like an address, or has none, for a literal", () =>
    Effect.gen(function* () {
      const open = yield* target("127.0.0.1.nip.example", false)
      assert.strictEqual(AddressPolicy.denied(open, ["127.0.0.1"]), "127.0.0.1")
      assert.isUndefined(AddressPolicy.denied(open, []))
    })
  )
})
