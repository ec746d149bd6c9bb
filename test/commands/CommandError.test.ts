import { assert, describe, it } from "@effect/vitest"
import { CommandError } from "mooring"

const url = "wss://gateway.example.com/"

describe("what is said of a secret that goes nowhere", () => {
  it.each([
    [
      "not opened",
      "token",
      "the granted target that covers wss://gateway.example.com/ doesn't open the secret 'token' by its 'secrets'"
    ],
    ["misplaced", "token", "no secret is filled in where 'token' stands for wss://gateway.example.com/"],
    [
      "unknown",
      null,
      "what stands for a secret in what would go to wss://gateway.example.com/ is no stand-in of this start"
    ],
    ["unfit", null, "the value of a secret can't stand where it would for wss://gateway.example.com/"]
  ] as const)("where it is %s", (problem, secret, says) => {
    assert.strictEqual(new CommandError.SecretUngranted({ url, secret, problem }).message, says)
  })
})
