/** What a type checker knows of the sandbox's globals, by the list of what can be reached there. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { filesFor } from "../../src/cli/internal/packageTemplate.ts"
import { folder } from "../cli/support/files.ts"
import { ROOT } from "../docs/markdown.ts"

const ADDED = [
  "console",
  "crypto",
  "TextEncoder",
  "TextDecoder",
  "URL",
  "URLSearchParams",
  "structuredClone",
  "atob",
  "btoa",
  "queueMicrotask"
]

/** What is to be there of each, by what the walk through the sandbox has found. */
const members = fs
  .readFileSync(path.join(ROOT, "test/sandbox/reachable.txt"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const [name = "", ...rest] = line.split(".")
    const key = rest.at(-1) ?? ""
    const isMember = rest.length === 1 ? key !== "prototype" : rest.length === 2 && rest[0] === "prototype"
    return ADDED.includes(name) && isMember && /^[a-z]\w*$/iu.test(key) && key !== "constructor" ? [line] : []
  })

const USED = `import { fromBase64, hmac, request, sign, toBase64, websocketSend } from "mooring/guest"
import type { IngressEvent, Json, Output } from "mooring/guest"

const url: URL = new URL("wss://a.example/b?c=1", new URL("wss://b.example"))
url.searchParams.append("d", "e")
const params: URLSearchParams = new URLSearchParams({ a: "b" })
const decoder: TextDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const bytes: Uint8Array = new TextEncoder().encode("x")
const id: string = crypto.randomUUID()
export const copy: { readonly a: number } = structuredClone({ a: 1 })
queueMicrotask(() => {})

const signatures: ReadonlyArray<string> = [hmac("key", "x", "sha256", "hex"), sign("key", "x", "base64")]
const round: Uint8Array = fromBase64(toBase64(bytes))

export const answer = (event: IngressEvent): Output => {
  if (event.kind === "websocket_binary") return { output_commands: [websocketSend(event, fromBase64(event.payload.base64))] }
  if (event.kind !== "host_response") return {}
  const { error, headers, status, text } = event.payload
  if (error !== undefined) return { status: [error.tag, error.sent, error.phase ?? null] }
  const asked = request("POST", "https://a.example/", { text: text ?? "", timeout_ms: 500, command_id: "a" })
  return { status: [status, headers["retry-after"] ?? null, [...signatures], round.length], output_commands: [asked] }
}

export function handleIngress(name: string, event: IngressEvent): Output {
  console.log(name, event, url.href, [...params], decoder.decode(bytes, { stream: true }), id)
  const random: Uint32Array = crypto.getRandomValues(new Uint32Array(1))
  const status: Json = { canParse: URL.canParse(atob(btoa("x"))), size: params.size, random: [...random] }
  return { status }
}
`

/** Types that aren't there and members that aren't: each is an error of its own. */
const ABSENT = [
  "setTimeout",
  "fetch",
  "process",
  "performance",
  "document",
  "console.table",
  "crypto.subtle",
  "URL.createObjectURL",
  "SharedArrayBuffer.prototype.growable",
  "new TextEncoder().stream",
  "new URL('a:b').port.nope"
]

/** What the compiler says of a file in a package as `mooring new --typescript` writes it. */
const compiled = (source: string, options: { readonly [name: string]: unknown } = {}) =>
  Effect.gen(function* () {
    const root = yield* folder
    for (const [name, content] of filesFor("typed", true)) fs.writeFileSync(path.join(root, name), content)
    fs.writeFileSync(path.join(root, "plugin.ts"), source)
    const settings = {
      extends: "./tsconfig.json",
      compilerOptions: {
        paths: { "mooring/guest": [path.join(ROOT, "src/guest/index.ts")] },
        allowImportingTsExtensions: true,
        ...options
      },
      include: ["plugin.ts"]
    }
    fs.writeFileSync(path.join(root, "tested.json"), JSON.stringify(settings))
    return yield* Effect.callback<string>((resume) => {
      const args = [path.join(ROOT, "node_modules/typescript/lib/tsc.js"), "-p", path.join(root, "tested.json")]
      execFile(process.execPath, args, { cwd: root }, (_, stdout, stderr) => resume(Effect.succeed(stdout + stderr)))
    })
  }).pipe(Effect.scoped)

it.live("a plugin in TypeScript may use each global that the sandbox has beside ECMAScript, and each part of it", () =>
  Effect.gen(function* () {
    assert.isAbove(members.length, 40)
    const each = members.map((member, at) => {
      const [name = "", ...rest] = member.split(".")
      const keys = rest.map((key) => `["${key}"]`).join("")
      return `export type Member${at} = (typeof ${name})${keys}\n`
    })
    assert.strictEqual(yield* compiled(USED + each.join("")), "")
  })
)

it.live("and none that it hasn't", () =>
  Effect.gen(function* () {
    const lines = ABSENT.map((expression, at) => `export const absent${at} = ${expression}`)
    const refused = yield* compiled(lines.concat('import type {} from "mooring/guest"\n').join("\n"))
    for (const [at, expression] of ABSENT.entries()) assert.include(refused, `plugin.ts(${at + 1},`, expression)
  })
)

it.live("where the DOM is declared too, its declarations count", () =>
  Effect.gen(function* () {
    const source = `import type { Json } from "mooring/guest"\nexport const x: Json = new URL("a:b").href\n`
    const dom = `${source}console.table([])\ndocument.title = URL.createObjectURL(new Blob())\nvoid crypto.subtle\n`
    assert.strictEqual(yield* compiled(dom, { lib: ["es2023", "dom"] }), "")
  })
)
