/** What stands in for the requests of other plugins where there are none. */
import * as Effect from "effect/Effect"
import { RequestClient } from "mooring"
import { FairPlaces, Turn } from "../../src/internal/fairPlaces.ts"
import type { Options } from "../../src/requests/Requests.ts"
import type { HadTime } from "../../src/time/HadTime.ts"

const idle: HadTime = {
  now: () => 0,
  after: () => () => {},
  sleep: () => Effect.never,
  listen: () => {},
  unlisten: () => {}
}

/** Places for whoever sends nothing. */
export const noRequests = (): Pick<Options, "places" | "lookups" | "time" | "activity"> => {
  const places = new FairPlaces(1, () => {})
  const member = places.join(1)
  return {
    places: {
      client: RequestClient.RequestClient.defaultValue(),
      fork: () => {
        throw new Error("nobody sends anything")
      },
      turn: () => new Turn(member),
      ask: (turn, begin) => places.ask(turn, begin),
      leave: (turn) => places.leave(turn),
      bound: () => {}
    },
    lookups: { take: Effect.never },
    time: idle,
    activity: () => {}
  }
}
