/**
 * `mooring schema`: the JSON Schemas (draft 2020-12) of what goes over the
 * wire, closed: what one refuses, the program refuses, and what it accepts,
 * the program accepts, but for what its `$comment` lists.
 */
import { Argument, Command } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { MOST_HEADER_BYTES } from "../commands/RequestPayload.ts"
import { HostStatus } from "../host/HostStatus.ts"
import { IngressEventWire } from "../ingress/IngressEventWire.ts"
import * as Bounded from "../internal/bounded.ts"
import * as Json from "../internal/json.ts"
import { Manifest } from "../manifest/Manifest.ts"
import { HostDocument } from "../node/internal/hostDocument.ts"
import { OutputWire } from "../plugin/PluginRuntime.ts"
import { CheckReport } from "./CheckReport.ts"
import { Output } from "./internal/output.ts"

interface Subject {
  readonly title: string
  readonly of: Schema.Codec<unknown, unknown>
  /** What holds beside it and no JSON Schema can say. */
  readonly beyond: ReadonlyArray<string>
}

const SIZE = `values are nested at most ${Bounded.MAX_DEPTH} deep, at most ${Bounded.MAX_VALUES} of them, with ${Bounded.MAX_CHARACTERS} characters together`
const BYTES = "some lengths count bytes of UTF-8"

const SUBJECTS = {
  manifest: {
    title: "plugin.toml",
    of: Manifest,
    beyond: [
      "names of services, names of ingresses, sources and auto_replies of one ingress occur once",
      "hosts, paths and URLs have a canonical form",
      BYTES,
      SIZE
    ]
  },
  host: {
    title: "A host file",
    of: HostDocument,
    beyond: [
      "ids with their instances, sources of one ingress and headers in whichever case occur once",
      "limits fit together, and into the heap",
      "a control address is one that can be, and has a token where other machines reach it",
      "in config a table of exactly from_env or from_file names a variable or a file",
      "grants name secrets of their entry",
      "hosts, paths and URLs have a canonical form",
      "repeated ids, versions and digests agree, and with the package",
      "numbers are finite, and whole ones no larger than JSON's readers can tell apart",
      `of each entry ${SIZE}`
    ]
  },
  event: {
    title: "What a plugin is handed",
    of: IngressEventWire,
    beyond: ["source and payload say the same of the URL"]
  },
  output: {
    title: "What a plugin answers",
    of: OutputWire,
    beyond: [
      BYTES,
      "limits are the operator's to set",
      "URLs are sources of the plugin, manifest and grant cover them",
      "source_event_id is the event's",
      `headers of a request occur once, in whichever case, and have ${MOST_HEADER_BYTES} bytes together`,
      `status, state and each command are nested at most ${Json.MOST_DEPTH} deep`
    ]
  },
  status: {
    title: "What a host says about itself",
    of: HostStatus,
    beyond: ["counters add up as docs/status.md tells"]
  },
  check: {
    title: "What mooring check --json prints",
    of: CheckReport,
    beyond: ["there is a tag where something would fail or stop", "hosts, paths and URLs have a canonical form"]
  }
} as const satisfies Record<string, Subject>

/** The names of the documents. */
export const NAMES = ["manifest", "host", "event", "output", "status", "check"] as const satisfies ReadonlyArray<
  keyof typeof SUBJECTS
>

/** The JSON Schema of the encoded side of a schema, as strict as the program's decoders are. */
export const closed = ({ beyond, of, title }: Subject) => {
  const { definitions, schema: root } = Schema.toJsonSchemaDocument(of, {
    onExcessProperty: "error",
    generateDescriptions: true
  })
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title,
    $comment: `What also holds: ${beyond.join("; ")}.`,
    ...root,
    $defs: definitions
  }
}

/** The document of one of the schemas. */
export const document = (name: (typeof NAMES)[number]) => closed(SUBJECTS[name])

/** The subcommand. */
export const schema = Command.make(
  "schema",
  {
    name: Argument.Literals("name", NAMES).pipe(Argument.withDescription(`Which one: ${NAMES.join(", ")}`))
  },
  ({ name }) => Effect.map(Output, ({ stdout }) => stdout.offer(`${JSON.stringify(document(name), null, 2)}\n`))
).pipe(Command.withDescription("Print the JSON Schema of a document"))
