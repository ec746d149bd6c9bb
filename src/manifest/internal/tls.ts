/**
 * What an operator says of TLS to a server, wherever it is dialled from: whom
 * to trust, how to prove who one is, and which name its certificate must have.
 */
import * as Schema from "effect/Schema"
import * as Wire from "../../internal/wire.ts"

const ServerName = Schema.String.check(
  Schema.isPattern(/^[0-9A-Za-z._-]{1,253}$/u, { expected: "the name of a server" })
)

/** Its PEM texts come from where `text` says. */
export const tlsOf = <Text extends Schema.Constraint>(text: Text) =>
  Wire.struct({
    ca: Schema.optionalKey(text),
    cert: Schema.optionalKey(text),
    key: Schema.optionalKey(text),
    serverName: Schema.optionalKey(ServerName)
  })
