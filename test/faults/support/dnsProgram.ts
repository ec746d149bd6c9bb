/**
 * A name server of the tests' own, at port 53 of an address: `node dnsProgram.ts <address>`. What it answers comes on
 * stdin.
 */
import * as Effect from "effect/Effect"
import * as Readline from "node:readline"
import * as Dns from "../../support/dns.ts"

/** By `A hub.test`; what is asked over TCP first by `tcp A hub.test`. Any other name isn't known. */
export interface Order {
  readonly answers: { readonly [question: string]: Dns.Answer }
}

export type Line = { readonly ready: true } | { readonly asked: string }

const [address = ""] = process.argv.slice(2)
const say = (line: Line) => process.stdout.write(`${JSON.stringify(line)}\n`)
let answers = new Map<string, Dns.Answer>()

const serving = Effect.gen(function* () {
  yield* Dns.serve(
    (name, kind, _nth, over) => {
      const question = `${kind} ${name.toLowerCase()}`
      say({ asked: `${over} ${question}` })
      return (
        (over === "tcp" ? answers.get(`tcp ${question}`) : undefined) ?? answers.get(question) ?? { rcode: "NXDOMAIN" }
      )
    },
    { address, port: 53, tcp: true }
  )
  yield* Effect.callback<void>((resume) => {
    Readline.createInterface({ input: process.stdin })
      .on("line", (text) => {
        const order: Order = JSON.parse(text)
        answers = new Map(Object.entries(order.answers))
        say({ ready: true })
      })
      .on("close", () => resume(Effect.void))
  })
})

await Effect.runPromise(Effect.scoped(serving))
