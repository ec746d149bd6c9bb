/**
 * The limits of which one has to have room for another, and what is expected
 * of either where it hasn't.
 */
type Key =
  | "commandPayloadBytes"
  | "hostQueueBytes"
  | "ingressQueueBytes"
  | "maxMessageBytes"
  | "outputBytes"
  | "sendBufferBytes"
  | "sendTextBytes"

export interface Pair {
  readonly key: Key
  readonly within: Key
  readonly needs: (value: number) => number
  /** What is expected of the one that needs the room, by the name of the other. */
  readonly expected: (within: string) => string
  /** And of the one that has to have it. */
  readonly room: (key: string) => string
}

// What a command's payload holds beside its text: a URL of at most 8,192 characters.
const BESIDE_TEXT_BYTES = 8192

const whole = (bytes: number) => bytes
const atMost = (within: string) => `at most ${within}`
const atLeast = (key: string) => `at least ${key}`

const PAIRS: ReadonlyArray<Pair> = [
  ...(["ingressQueueBytes", "hostQueueBytes"] as const).map((within) => ({
    key: "maxMessageBytes" as const,
    within,
    needs: (bytes: number) => 2 * bytes,
    expected: (name: string) => `at most half of ${name}`,
    room: (name: string) => `at least twice ${name}`
  })),
  {
    key: "sendTextBytes",
    within: "commandPayloadBytes",
    needs: (bytes) => bytes + BESIDE_TEXT_BYTES,
    expected: (name) => `at most ${name} less ${BESIDE_TEXT_BYTES}`,
    room: (name) => `at least ${name} and ${BESIDE_TEXT_BYTES}`
  },
  { key: "sendTextBytes", within: "sendBufferBytes", needs: whole, expected: atMost, room: atLeast },
  { key: "commandPayloadBytes", within: "outputBytes", needs: whole, expected: atMost, room: atLeast }
]

/** The pairs that don't fit together. */
export const unfit = (values: { readonly [key in Key]: number }): ReadonlyArray<Pair> =>
  PAIRS.filter(({ key, needs, within }) => needs(values[key]) > values[within])
