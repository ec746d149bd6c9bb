/**
 * Options about a control API: of the program that serves one, and of those
 * that ask one.
 */
import { Flag } from "effect/cli"
import * as Option from "effect/Option"
import * as ControlSettings from "../../node/ControlSettings.ts"

const address = (name: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("address"),
    Flag.withSchema(ControlSettings.AddressText),
    Flag.optional,
    Flag.map((text) => ControlSettings.parse(Option.getOrElse(text, () => "")))
  )

const path = (name: string) =>
  Flag.String(name).pipe(Flag.withMetavar("path"), Flag.optional, Flag.map(Option.getOrUndefined))

/** Of the program that serves one. */
export const servingFlags = {
  control: address("control").pipe(
    Flag.withDescription("Serve the control API there, like 127.0.0.1:9477 or unix:mooring.sock")
  ),
  tokenFile: path("control-token-file").pipe(
    Flag.withDescription("The file of its token (default: the variable MOORING_CONTROL_TOKEN, or the host file's)")
  )
}

/** Of those that ask one. */
export const askingFlags = {
  control: address("control").pipe(
    Flag.withDescription("Where the control API is (default: 127.0.0.1:9477), or unix: and the path of its file")
  ),
  tokenFile: path("token-file").pipe(
    Flag.withDescription("The file of its token (default: the variable MOORING_CONTROL_TOKEN)")
  )
}

/** What they say. */
export interface Asking {
  readonly control: ControlSettings.Address | undefined
  readonly tokenFile: string | undefined
}
