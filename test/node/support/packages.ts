/** Packages on disk, for as long as a test runs. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { folder } from "../../cli/support/files.ts"

export type Files = { readonly [path: string]: string | Uint8Array }

/** Writes files into a folder, in the order in which they are given. */
export const write = (root: string, files: Files): void => {
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
    fs.writeFileSync(path.join(root, name), content)
  }
}

/** A folder of the test's own with these files. */
export const packageOf = (files: Files) => Effect.tap(folder, (root) => Effect.sync(() => write(root, files)))

/** The manifest of CONTRACT's example. */
export const MANIFEST = `schema_version = 1
id = "example.echo"
name = "Echo"
version = "0.1.0"
surfaces = ["service", "ingress"]
permissions = [
  { kind = "surface", surface = "service" },
  { kind = "service", name = "echo" },
  { kind = "surface", surface = "ingress" },
  { kind = "ingress", name = "gateway" },
  { kind = "host_api", api = "websocket" },
]

[runtime]
kind = "javascript"
entry = "plugin.js"

[[services]]
name = "echo"
lifecycle = "host-managed"

[[ingresses]]
name = "gateway"
sources = ["websocket:ws://127.0.0.1:7700/gateway"]

[[websocket]]
scheme = "ws"
host = "127.0.0.1"
port = 7700
path_prefixes = ["/gateway"]
`

export const CODE = "export const handleIngress = () => ({})\n"

export const ECHO: Files = { "plugin.toml": MANIFEST, "plugin.js": CODE }
