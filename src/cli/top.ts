/**
 * `mooring top`: the live table of another process, over its control API. What
 * is wrong comes first. It goes on asking while the other doesn't answer, and
 * ends at `q`, at Ctrl-C and at a signal.
 */
import { Command } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { HostStatus } from "../host/HostStatus.ts"
import { clean, cut } from "./internal/cells.ts"
import * as Client from "./internal/controlClient.ts"
import { askingFlags, type Asking } from "./internal/controlOptions.ts"
import * as Keys from "./internal/keys.ts"
import { Output } from "./internal/output.ts"
import { table } from "./internal/table.ts"

const ASK_EVERY_MS = 1000
const WIDTH_WITHOUT_TERMINAL = 200

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(HostStatus))

const statusOf = (asked: Client.Asked) =>
  Effect.flatMap(Client.ask(asked, { method: "GET", path: "/status" }), (text) =>
    Effect.mapError(
      decode(text),
      () => new Client.Unreachable({ reason: "what it answers is no status that this version reads" })
    )
  )

/** Shows each status as it comes; while there is none the last, and why. */
const watching = (asked: Client.Asked, first: HostStatus) =>
  Effect.gen(function* () {
    const { screen } = yield* Output
    let last = first
    const draw = (problem?: string) =>
      screen.show((size) => {
        const room = problem === undefined ? size : { ...size, rows: size.rows - 1 }
        const lines = table(last, { ...room, isColoured: screen.isColoured })
        return problem === undefined ? lines : [cut(clean(`asking again: ${problem}`), size.columns), ...lines]
      })
    const once = Effect.matchEffect(statusOf(asked), {
      onSuccess: (status) =>
        Effect.sync(() => {
          last = status
          draw()
        }),
      onFailure: ({ message }) => Effect.sync(() => draw(message))
    })
    draw()
    return yield* Effect.forever(Effect.andThen(Effect.sleep(ASK_EVERY_MS), once))
  })

const top = ({ control = Client.USUAL, tokenFile }: Asking) =>
  Effect.gen(function* () {
    const asked = { address: control, token: yield* Client.tokenOf(tokenFile) }
    const { screen } = yield* Output
    const first = yield* statusOf(asked)
    if (screen.live) return yield* Effect.raceFirst(watching(asked, first), Keys.quit)
    for (const line of table(first, { columns: WIDTH_WITHOUT_TERMINAL })) screen.log(line)
  }).pipe(Effect.scoped)

/** The subcommand. */
export const topCommand = Command.make("top", askingFlags, top).pipe(
  Command.withDescription("Show the live table of a host that runs, by its control API"),
  Command.withShortDescription("Show the live table of a host that runs")
)
