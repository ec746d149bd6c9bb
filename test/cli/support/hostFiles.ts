/** Host files of packages on disk, written as operators write them, and a server for these to talk to. */
import * as Effect from "effect/Effect"
import type { HostStatus } from "mooring"
import { PackageFolders } from "mooring/node"
import * as fs from "node:fs"
import * as path from "node:path"
import { MANIFEST, write } from "../../node/support/packages.ts"
import { gateway } from "../../support/servers.ts"

const CODE = `import { websocketSend } from "mooring/guest"
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  return { output_commands: [websocketSend(event, "VERSION " + event.payload.text)] }
}
`

export const codeOf = (version: string) => CODE.replace("VERSION", version)

export const talkative = (name: string) => `export const start = (config) => console.warn("${name} has", config.token)
export const handleIngress = (_, { payload }) => console.log("${name} heard", payload.text)
export const stop = () => console.log("${name} stops")`

const manifestFor = (port: number, name = "echo") =>
  MANIFEST.replaceAll("7700", String(port)).replaceAll("example.echo", `example.${name}`)

export const digestOf = (root: string) =>
  Effect.flatMap(PackageFolders.PackageFolders, ({ read }) => read(root, 5000)).pipe(
    Effect.provide(PackageFolders.layer),
    Effect.map(({ digest }) => digest)
  )

/** A package in a folder of the test's, and the entry that enables it with all that it asks for; `kinds`: of its ingress. */
export const packaged = (
  root: string,
  name: string,
  port: number,
  code = codeOf("one"),
  kinds?: ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const manifest = manifestFor(port, name).replace(
      'name = "gateway"\nsources',
      `name = "gateway"\n${kinds === undefined ? "" : `event_kinds = ${JSON.stringify(kinds)}\n`}sources`
    )
    write(path.join(root, name), { "plugin.toml": manifest, "plugin.js": code })
    const digest = yield* digestOf(path.join(root, name))
    return (
      targets = `[{ scheme = "ws", host = "127.0.0.1", port = ${port}, path_prefixes = ["/gateway"] }]`,
      more = ""
    ) => `
[[plugins.enabled]]
package = "./${name}"
id = "project:example.${name}"
version = "0.1.0"
digest = "${digest}"
${more}
[plugins.enabled.grants]
permissions = [{ kind = "surface", surface = "service" }, { kind = "service", name = "echo" }, { kind = "surface", surface = "ingress" }, { kind = "ingress", name = "gateway" }, { kind = "host_api", api = "websocket" }]
websocket = ${targets}
`
  })

/** A server that says `hi` to whoever connects, and keeps what it is answered. */
export const greeting = Effect.gen(function* () {
  const answers: Array<string> = []
  const server = yield* gateway((peer) => {
    peer.on("message", (data: Buffer) => answers.push(data.toString()))
    peer.send("hi")
  })
  return { ...server, answers }
})

export const save = (root: string, content: string) => {
  fs.writeFileSync(path.join(root, ".new"), content)
  fs.renameSync(path.join(root, ".new"), path.join(root, "host.toml"))
}

export const rowOf = (status: HostStatus.HostStatus, name = "echo") =>
  status.plugins.find(({ pluginRef }) => pluginRef === `project:example.${name}`)

export const stateOf = (status: HostStatus.HostStatus, name = "echo") =>
  rowOf(status, name)?.websocketConnections[0]?.state
