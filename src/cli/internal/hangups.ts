/**
 * SIGHUP, for a command that does something else at it than end.
 */
import * as Context from "effect/Context"

export class Hangups extends Context.Service<Hangups, { readonly take: (listener: () => void) => void }>()(
  "mooring/cli/Hangups"
) {}
