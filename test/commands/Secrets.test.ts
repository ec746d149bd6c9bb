/** Rule 11 for commands: what stands for a secret, and where it may. */
import { assert, describe, it } from "@effect/vitest"
import { OutputCommand } from "mooring"
import * as StandIns from "../../src/secrets/StandIns.ts"
import { destination, eventOf, executing, verdicts, type Setup } from "./support/executor.ts"

const OWN = "ws://127.0.0.1:7700/gateway"
const secrets = { token: "S3CRET/1", shut: "N0T0PEN/2" }

const sending = (setup: Setup = {}) => {
  const own = destination("main", OWN)
  const run = executing({ destinations: [own], secrets, shut: new Set(["shut"]), ...setup })
  const of = (secret: string) => run.standIns.of(secret) ?? assert.fail(secret)
  return { ...run, own, of, run: (...commands: ReadonlyArray<unknown>) => run.run(eventOf(own), commands) }
}

/** How long every stand-in is. */
const bytes = 47

const sent = { url: OWN, ingressName: "main" }

describe("A send with a stand-in", () => {
  it("writes the value, and shows the stand-in", () => {
    const { of, own, recorded, run } = sending()
    assert.deepStrictEqual(verdicts(run(OutputCommand.send(sent, `{"t":"${of("token")}"}`))), ["executed"])
    assert.deepStrictEqual(own.connection.asked, [["send", '{"t":"S3CRET/1"}']])
    assert.notInclude(JSON.stringify(recorded), secrets.token)
  })

  it("is the only one that costs anything: other texts, and bytes, go out as they are", () => {
    const { of, own, run } = sending()
    const inBytes = new TextEncoder().encode(of("token"))
    const like = "mooring-secret-"
    const data = ["plain", inBytes, of("token"), like]
    assert.deepStrictEqual(
      verdicts(run(...data.map((each) => OutputCommand.send(sent, each)))),
      data.map(() => "executed")
    )
    const [, bytesSent] = own.connection.asked
    assert.deepStrictEqual(bytesSent, ["send", inBytes])
    assert.deepStrictEqual(own.connection.asked.slice(2), [
      ["send", secrets.token],
      ["send", like]
    ])
    assert.strictEqual(own.connection.filled, 2)
  })

  it("is counted by its text as it was given: rates, sizes and the buffer", () => {
    for (const [setup, tag] of [
      [{ limits: { sendTextBytes: bytes } }, "executed"],
      [{ limits: { sendTextBytes: bytes - 1 } }, "CommandTooLarge"],
      [{ limits: { sendBufferBytes: bytes } }, "executed"],
      [{ limits: { sendBufferBytes: bytes - 1 } }, "SendBufferFull"],
      [{ rate: { sendBytesPerMinute: bytes } }, "executed"],
      [{ rate: { sendBytesPerMinute: bytes - 1 } }, "SendRateLimited"]
    ] as const) {
      const { of, run } = sending(setup)
      assert.deepStrictEqual(verdicts(run(OutputCommand.send(sent, of("token")))), [tag])
    }
  })
})

/** Each is refused, says why, and nothing is asked of the connection. */
const HOSTILE: ReadonlyArray<
  readonly [
    name: string,
    command: (of: (secret: string) => string, other: string) => OutputCommand.Command,
    secret: string | null,
    problem: StandIns.Refusal["problem"]
  ]
> = [
  ["another start's", (_, other) => OutputCommand.send(sent, other), null, "unknown"],
  ["another start's beside its own", (of, other) => OutputCommand.send(sent, of("token") + other), null, "unknown"],
  ["one made up", () => OutputCommand.send(sent, `mooring-secret-${"a".repeat(32)}`), null, "unknown"],
  ["its own in upper case", (of) => OutputCommand.send(sent, digitsUp(of("token"))), null, "unknown"],
  ["another target's", (of) => OutputCommand.send(sent, of("shut")), "shut", "not opened"],
  ["in a close reason", (of) => OutputCommand.close(sent, { reason: of("token") }), "token", "misplaced"],
  ["another start's there", (_, other) => OutputCommand.close(sent, { reason: other }), null, "unknown"],
  ["in the URL of a send", (of) => OutputCommand.send(`${OWN}?k=${of("token")}`, "x"), "token", "misplaced"],
  ["in the URL of a close", (of) => OutputCommand.close(`${OWN}?k=${of("token")}`), "token", "misplaced"],
  ["in the URL of a reconnect", (of) => OutputCommand.reconnect(`${OWN}/${of("token")}`), "token", "misplaced"],
  [
    "in the URL of a timer",
    (of) => OutputCommand.setTimer("t", { afterMs: 1000, url: `${OWN}?k=${of("token")}` }),
    "token",
    "misplaced"
  ],
  [
    "in the name of an ingress",
    (of) => OutputCommand.send({ url: OWN, ingressName: of("token") }, "x"),
    "token",
    "misplaced"
  ],
  [
    "in a dial_url",
    (of) => OutputCommand.reconnect(sent, { dialUrl: `${OWN}?k=${of("token")}` }),
    "token",
    "misplaced"
  ],
  [
    "another start's there",
    (_, other) => OutputCommand.reconnect(sent, { dialUrl: `${OWN}?${other}` }),
    null,
    "unknown"
  ],
  [
    "in the host of a request that no grant covers",
    (of) => OutputCommand.request("PATCH", `https://${of("token")}.example.com/`),
    "token",
    "misplaced"
  ],
  ["another start's there", (_, other) => OutputCommand.request("PATCH", `https://${other}/`), null, "unknown"],
  [
    "in the method of a request",
    (of) => OutputCommand.request(of("token"), "https://api.example.com/"),
    "token",
    "misplaced"
  ]
]

const digitsUp = (standIn: string) => standIn.replace(/[0-9a-f]{32}$/, () => "A".repeat(32))

describe("SecretUngranted", () => {
  it.each(HOSTILE)("is what a command is refused with that has a stand-in: %s", (_name, command, secret, problem) => {
    const { of, own, rejected, run, set } = sending()
    const other = StandIns.make(["token"]).of("token") ?? ""
    assert.deepStrictEqual(verdicts(run(command(of, other))), ["SecretUngranted"])
    const [error] = rejected.map(([each]) => each)
    assert.deepInclude(error, { secret, problem })
    assert.deepStrictEqual([own.connection.asked, set], [[], []])
    for (const value of Object.values(secrets)) assert.notInclude(JSON.stringify(error), value)
  })

  it("comes behind what is wrong with the connection, and before the rate and the buffer", () => {
    for (const [change, tag] of [
      [{ target: null }, "SecretUngranted"],
      [{ covered: false }, "CommandUngranted"],
      [{ epoch: 2 }, "StaleEpoch"],
      [{ state: "closing" }, "NotConnected"],
      [{ bufferedBytes: 1e9 }, "SecretUngranted"]
    ] as const) {
      const own = destination("main", OWN, change)
      const made = sending({ destinations: [own], rate: { sendsPerMinute: 0, sendBytesPerMinute: 1 } })
      assert.deepStrictEqual(verdicts(made.run(OutputCommand.send(sent, made.of("shut")))), [tag])
    }
  })

  it("is what an answer of the host's own isn't sent for, either", () => {
    const { executor, of, own } = sending()
    assert.isFalse(executor.reply(own.connection, of("shut")))
    assert.deepStrictEqual(own.connection.asked, [])
  })
})
