/** Signatures, by the vectors of their RFCs and of those who ask for them, and by another library's verdict. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as crypto from "node:crypto"
import { MOST_A_SECOND, MOST_TEXT_BYTES, Signer } from "../../src/secrets/Signer.ts"

/** A signer of one secret, named key, at a time that the test says. */
const signerOf = (value: string, at: () => number = () => 0) =>
  new Signer({ keyOf: (name) => (name === "key" ? value : undefined), now: at })

const said = (signed: Result.Result<string, { readonly reason: string }>): string =>
  Result.match(signed, { onSuccess: (text) => text, onFailure: ({ reason }) => `refused: ${reason}` })

const pem = (key: crypto.KeyObject, type: "pkcs8" | "pkcs1" | "sec1" = "pkcs8", passphrase?: string): string =>
  String(
    key.export({ type, format: "pem", ...(passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase }) })
  )

/** RFC 8410, section 7: the private key of 32 bytes in PKCS #8. */
const ed25519 = (seed: string): string =>
  pem(
    crypto.createPrivateKey({
      key: Buffer.from(`302e020100300506032b657004220420${seed}`, "hex"),
      format: "der",
      type: "pkcs8"
    })
  )

const inverse = (value: bigint, modulus: bigint): bigint => {
  let [r, next, x, y] = [modulus, value % modulus, 0n, 1n]
  while (next !== 0n) [r, next, x, y] = [next, r % next, y, x - (r / next) * y]
  return ((x % modulus) + modulus) % modulus
}

/** A number as a JWK has it. */
const written = (number: bigint): string => {
  const hex = number.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex").toString("base64url")
}

/** An RSA key of 480 bits, which no library makes any more. */
const shortRsa = (): string => {
  const e = 65_537n
  const [p, q] = [0, 1].map(() => crypto.generatePrimeSync(240, { bigint: true })).toSorted((a, b) => (a < b ? 1 : -1))
  if (p === undefined || q === undefined || (p - 1n) % e === 0n || (q - 1n) % e === 0n) return shortRsa()
  const d = inverse(e, (p - 1n) * (q - 1n))
  const numbers = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  const fields = Object.entries(numbers).map(([name, number]) => [name, written(number)] as const)
  return pem(crypto.createPrivateKey({ key: { kty: "RSA", ...Object.fromEntries(fields) }, format: "jwk" }))
}

const rsa = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 })

describe("an HMAC", () => {
  // RFC 4231, sections 4.2, 4.3 and 4.6; the keys and data of the others are no UTF-8.
  for (const [name, key, text, sha256, sha512] of [
    [
      "4.2",
      "\u{b}".repeat(20),
      "Hi There",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"
    ],
    [
      "4.3",
      "Jefe",
      "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
    ],
    [
      "4.6, of which it has the first half",
      "\u{c}".repeat(20),
      "Test With Truncation",
      "a3b6167473100ee06e0c796c2955552b",
      "415fad6271580a531d4179bc891d87a6"
    ],
    // Of an exchange's documents on signed requests.
    [
      "an exchange's example",
      "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
      "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
      "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
      ""
    ]
  ] as const) {
    it(`is that of the vector: ${name}`, () => {
      const signer = signerOf(key)
      assert.strictEqual(said(signer.hmac("key", text, "sha256", "hex")).slice(0, sha256.length), sha256)
      assert.strictEqual(said(signer.hmac("key", text, "sha512", "hex")).slice(0, sha512.length), sha512)
      const whole = said(signer.hmac("key", text, "sha512", "hex"))
      assert.strictEqual(
        said(signer.hmac("key", text, "sha512", "base64")),
        Buffer.from(whole, "hex").toString("base64")
      )
    })
  }

  it("takes key and text as UTF-8, whatever is in them", async () => {
    const key = "schlüssel\u{1f511}"
    const text = "\0ü\u{1f600}\u{fffd}\r\n"
    const utf8 = new TextEncoder()
    const made = await crypto.subtle.importKey("raw", utf8.encode(key), { name: "HMAC", hash: "SHA-256" }, false, [
      "sign"
    ])
    const other = Buffer.from(await crypto.subtle.sign("HMAC", made, utf8.encode(text))).toString("hex")
    assert.strictEqual(said(signerOf(key).hmac("key", text, "sha256", "hex")), other)
  })

  it("is refused in any other form", () => {
    const signer = signerOf("a secret")
    for (const [algorithm, encoding] of [
      ["sha1", "hex"],
      ["md5", "hex"],
      ["SHA256", "hex"],
      ["", "hex"],
      ["sha256", "base64url"],
      ["sha256", "latin1"],
      ["sha256", "buffer"],
      ["__proto__", "hex"],
      ["sha256", ""]
    ] as const) {
      assert.strictEqual(
        said(signer.hmac("key", "x", algorithm, encoding)),
        "refused: form",
        `${algorithm} ${encoding}`
      )
    }
  })
})

describe("a signature", () => {
  // RFC 8032, section 7.1, tests 1 and 2; the messages of the others are no UTF-8.
  for (const [seed, text, signature] of [
    [
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    ],
    [
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "r",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    ]
  ] as const) {
    it(`by Ed25519 is that of the vector: ${JSON.stringify(text)}`, () => {
      const made = said(signerOf(ed25519(seed)).sign("key", text, "base64"))
      assert.strictEqual(Buffer.from(made, "base64").toString("hex"), signature)
    })
  }

  for (const type of ["pkcs8", "pkcs1"] as const) {
    it(`by RSA in ${type} is RSASSA-PKCS1-v1_5 with SHA-256, as two others verify it`, async () => {
      const text = "apiKey=k&recvWindow=5000&timestamp=1668481559918&ü\u{1f600}"
      const bytes = Buffer.from(text)
      const made = Buffer.from(said(signerOf(pem(rsa.privateKey, type)).sign("key", text, "base64")), "base64")
      const padding = crypto.constants.RSA_PKCS1_PADDING
      assert.isTrue(crypto.verify("sha256", bytes, { key: rsa.publicKey, padding }, made))
      assert.isFalse(crypto.verify("sha256", Buffer.from(`${text}.`), { key: rsa.publicKey, padding }, made))
      const spki = rsa.publicKey.export({ type: "spki", format: "der" })
      const scheme = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
      const key = await crypto.subtle.importKey("spki", new Uint8Array(spki), scheme, false, ["verify"])
      assert.isTrue(await crypto.subtle.verify(scheme, key, new Uint8Array(made), new Uint8Array(bytes)))
    })
  }

  const ec = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" })
  for (const [what, value] of [
    ["no PEM", "a secret of another kind"],
    ["an EC key", pem(ec.privateKey)],
    ["an EC key as OpenSSL writes it", pem(ec.privateKey, "sec1")],
    ["an Ed448 key", pem(crypto.generateKeyPairSync("ed448").privateKey)],
    ["an X25519 key", pem(crypto.generateKeyPairSync("x25519").privateKey)],
    ["an RSA-PSS key", pem(crypto.generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).privateKey)],
    ["an RSA key too short for a SHA-256", shortRsa()],
    ["a key with a passphrase", pem(rsa.privateKey, "pkcs8", "pass")],
    ["a public key", String(rsa.publicKey.export({ type: "spki", format: "pem" }))],
    ["an empty PEM", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"],
    ["a PEM that is cut", pem(rsa.privateKey).slice(0, 400)],
    ["a PEM of something else", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"],
    [
      "an OpenSSH key",
      "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"
    ]
  ] as const) {
    it(`isn't made with ${what}, and nothing of it is told`, () => {
      const refused = signerOf(value).sign("key", "x", "base64")
      assert.strictEqual(said(refused), "refused: key")
      const told = Result.isFailure(refused) ? `${refused.failure.message} ${refused.failure.stack}` : ""
      for (const line of value.split("\n").filter((each) => !each.startsWith("---") && each.length > 6)) {
        assert.notInclude(told, line)
      }
    })
  }

  it("is made in base64 only", () => {
    const signer = signerOf(pem(rsa.privateKey))
    for (const encoding of ["hex", "", "base64url"]) {
      assert.strictEqual(said(signer.sign("key", "x", encoding)), "refused: form")
    }
  })
})

/** What comes of both functions. */
const both = (signer: Signer, name: string, text: string): ReadonlyArray<string> => [
  said(signer.hmac(name, text, "sha256", "hex")),
  said(signer.sign(name, text, "base64"))
]

describe("a signer", () => {
  it("signs with what it is given keys for, and with nothing else", () => {
    const signer = signerOf(pem(rsa.privateKey))
    for (const name of ["", "kez", "KEY", "key ", "__proto__", "constructor", "toString"]) {
      assert.deepStrictEqual(both(signer, name, "x"), ["refused: ungranted", "refused: ungranted"], name)
    }
  })

  it("rule 3: signs texts of at most 64 KiB of UTF-8", () => {
    const signer = signerOf(pem(rsa.privateKey))
    for (const [text, isTaken] of [
      ["x".repeat(MOST_TEXT_BYTES), true],
      ["x".repeat(MOST_TEXT_BYTES + 1), false],
      ["ü".repeat(MOST_TEXT_BYTES / 2), true],
      [`${"ü".repeat(MOST_TEXT_BYTES / 2)}x`, false],
      ["\u{1f600}".repeat(MOST_TEXT_BYTES / 4), true],
      ["\u{1f600}".repeat(MOST_TEXT_BYTES / 4 + 1), false]
    ] as const) {
      for (const made of both(signer, "key", text)) assert.strictEqual(made !== "refused: size", isTaken)
    }
  })

  it("signs no half of a surrogate pair: another text would be signed in its place", () => {
    const signer = signerOf(pem(rsa.privateKey))
    for (const text of ["\u{d800}", "a\u{dfff}b", "\u{1f600}".slice(1), "\u{dc00}\u{d800}"]) {
      assert.deepStrictEqual(both(signer, "key", text), ["refused: surrogate", "refused: surrogate"])
    }
    assert.notInclude(both(signer, "key", "\u{1f600}\u{fffd}"), "refused: surrogate")
  })

  it("rule 3: signs at most 1,000 times in any second, by either function", () => {
    let now = 0
    const signer = signerOf(ed25519("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"), () => now)
    const made: Array<number> = []
    // In bursts, and at times that no bucket would have thought of.
    for (now = 0; now < 5000; now += now % 700 === 0 ? 0.5 : 1.75) {
      for (let tries = 0; tries < 7; tries++) {
        const signed = tries % 7 === 0 ? signer.sign("key", "x", "base64") : signer.hmac("key", "x", "sha256", "hex")
        if (Result.isSuccess(signed)) made.push(now)
        else assert.strictEqual(signed.failure.reason, "rate")
      }
    }
    for (const [index, at] of made.entries()) {
      const before = made[index - MOST_A_SECOND]
      if (before !== undefined) assert.isAtLeast(at - before, 1000)
    }
    assert.isAtLeast(made.length, 4 * MOST_A_SECOND)
  })

  it("counts nothing that it refuses", () => {
    const signer = signerOf("no PEM at all")
    for (let tries = 0; tries < 2 * MOST_A_SECOND; tries++) both(signer, "other", "x")
    for (let tries = 0; tries < 2 * MOST_A_SECOND; tries++) signer.sign("key", "x", "base64")
    assert.match(said(signer.hmac("key", "x", "sha256", "hex")), /^[0-9a-f]{64}$/)
  })

  it("signs with what a secret is now, and not at all once it isn't granted any more", () => {
    let value: string | undefined = pem(rsa.privateKey)
    const signer = new Signer({ keyOf: () => value, now: () => 0 })
    const first = both(signer, "key", "x")
    value = ed25519("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    const second = both(signer, "key", "x")
    assert.strictEqual(new Set([...first, ...second]).size, 4)
    value = undefined
    assert.deepStrictEqual(both(signer, "key", "x"), ["refused: ungranted", "refused: ungranted"])
    value = pem(rsa.privateKey)
    assert.deepStrictEqual(both(signer, "key", "x"), first)
  })
})
