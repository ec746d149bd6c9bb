/**
 * `mooring schema`: the JSON Schemas (draft 2020-12) of what goes over the
 * wire.
 */
import { Argument, Command } from "effect/cli"
import * as Schema from "effect/Schema"
import { HostStatus } from "../host/HostStatus.ts"
import { IngressEventWire } from "../ingress/IngressEventWire.ts"
import { Manifest } from "../manifest/Manifest.ts"
import { OutputWire } from "../plugin/PluginRuntime.ts"
import { write } from "./internal/output.ts"

/** The document of one of the schemas. */
export const document = (name: "manifest" | "event" | "output" | "status"): unknown => {
  const of = { manifest: Manifest, event: IngressEventWire, output: OutputWire, status: HostStatus }
  const { definitions, schema: root } = Schema.toJsonSchemaDocument(of[name])
  const text = JSON.stringify({ $schema: "https://json-schema.org/draft/2020-12/schema", ...root, $defs: definitions })
  return JSON.parse(text.replaceAll("#/definitions/", "#/$defs/"))
}

/** The subcommand. */
export const schema = Command.make(
  "schema",
  {
    name: Argument.Literals("name", ["manifest", "event", "output", "status"]).pipe(
      Argument.withDescription("Which schema")
    )
  },
  ({ name }) => write(process.stdout, `${JSON.stringify(document(name), null, 2)}\n`)
).pipe(Command.withDescription("Print the JSON Schema of a document"))
