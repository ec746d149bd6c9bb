/** Every command as somebody meets it who types something wrong, has a broken file, or looks at the beginning only. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { read } from "../docs/markdown.ts"
import { ECHO, write } from "../node/support/packages.ts"
import { folder, opened } from "./support/files.ts"
import { greeting, packaged, save } from "./support/hostFiles.ts"
import { BIN, CACHED, mooring, type Ended } from "./support/program.ts"

/** The commands of the docs, each with the flags that the table there shows. */
const COMMANDS = new Map<string, Set<string>>()
for (const [, name = "", rest = ""] of read("docs/command-line.md").matchAll(/^\| `mooring (\w+)([^`]*)`/gm)) {
  const flags = COMMANDS.get(name) ?? new Set()
  for (const [flag] of rest.matchAll(/--[a-z-]+/g)) flags.add(flag)
  COMMANDS.set(name, flags)
}

/** As many at once as there is something to gain from. */
const each = <A, B>(all: Iterable<A>, run: (one: A) => Effect.Effect<B>): Effect.Effect<ReadonlyArray<B>> =>
  Effect.forEach([...all], run, { concurrency: 3 })

/** It ended by itself, and no stack or path of the program's own is shown. */
const assertPlain = ({ code, signal, stderr, stdout }: Ended, what: string): void => {
  assert.isNull(signal, what)
  assert.notInclude([1, null], code, `${what}\n${stderr}`)
  for (const text of [stdout, stderr]) assert.notMatch(text, /node:internal|^ +at |\/src\/cli\//m, what)
}

describe("each command of the docs", () => {
  it.live("tells of itself on stdout, with each flag that the docs tell of", () =>
    Effect.gen(function* () {
      assert.isAtLeast(COMMANDS.size, 8)
      yield* each(COMMANDS, ([name, flags]) =>
        Effect.map(mooring([name, "--help"]), ({ code, stderr, stdout }) => {
          assert.deepStrictEqual([code, stderr], [0, ""], name)
          for (const part of ["DESCRIPTION", "USAGE", `mooring ${name}`, ...flags]) assert.include(stdout, part, name)
          for (const line of stdout.split("\n")) assert.isAtMost(line.length, 130, line)
        })
      )
    })
  )

  it.live("is told of by the program, and completed by each shell", () =>
    Effect.gen(function* () {
      const asked = [["--help"], ...["bash", "zsh", "fish"].map((shell) => ["--completions", shell])]
      yield* each(asked, (args) =>
        Effect.map(mooring(args), ({ code, stderr, stdout }) => {
          assert.deepStrictEqual([code, stderr], [0, ""])
          for (const name of COMMANDS.keys()) assert.match(stdout, new RegExp(`\\b${name}\\b`), args.join(" "))
        })
      )
      const script = (yield* mooring(["--completions", "bash"])).stdout
      const checked = spawnSync("bash", ["-n"], { input: script, encoding: "utf8" })
      assert.deepStrictEqual([checked.status, checked.stderr], [0, ""])
    })
  )

  it.live("says which flag it doesn't know, last and on stderr, and ends with 2", () =>
    each(COMMANDS.keys(), (name) =>
      Effect.map(mooring([name, "--intervall", "x"]), ({ code, stderr, stdout }) => {
        assert.deepStrictEqual([code, stdout], [2, ""], name)
        assert.match(stderr.split("ERROR")[1] ?? "", /--intervall/, name)
      })
    )
  )
})

describe("a command that is given nothing where it wants a path", () => {
  it.live("is used wrongly, for a variable of the shell's may not be set", () =>
    each(["run", "check", "digest", "dev", "build", "new"], (name) =>
      Effect.map(mooring([name, ""]), ({ code, stderr, stdout }) => {
        assert.deepStrictEqual([code, stdout], [2, ""], name)
        assert.include(stderr.split("ERROR")[1] ?? "", "Invalid value for argument", name)
      })
    )
  )
})

describe("a command whose file can't be read", () => {
  it.live("ends with 3 and says of which file, and why, however it can't be", () =>
    Effect.gen(function* () {
      const root = yield* folder
      write(root, { file: "x", "bytes/plugin.toml": new Uint8Array([0xff]), "bytes/plugin.ts": new Uint8Array([0xff]) })
      fs.symlinkSync("loop", path.join(root, "loop"))
      spawnSync("mkfifo", [path.join(root, "pipe")])
      const named = ["none", "loop", "pipe", "file/below", "bytes"].flatMap((name) =>
        ["run", "check", "digest", "build"].map((command) => [command, path.join(root, name)] as const)
      )
      yield* each(named, ([command, file]) =>
        Effect.map(mooring([command, file]), (ended) => {
          const what = `${command} ${path.basename(file)}`
          assertPlain(ended, what)
          // A package whose manifest is of no use is still one that has a digest.
          if (what === "digest bytes") return assert.strictEqual(ended.code, 0)
          assert.strictEqual(ended.code, 3, what)
          assert.include(ended.stdout + ended.stderr, file, what)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("shows of a file that is no TOML where it isn't, and nothing of what stands there", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const broken = [
        'key = "SECRET\n',
        "[[plugins.enabled]\nkey = SECRET",
        "a = 1\na = 2 # SECRET",
        'a = "\\q SECRET"'
      ]
      yield* each(broken.entries(), ([index, text]) =>
        Effect.gen(function* () {
          const file = path.join(root, `${index}.toml`)
          fs.writeFileSync(file, text)
          write(root, { [`p${index}/plugin.toml`]: text })
          // The others read it as this one does.
          const others = [
            ["run", file],
            ["check", path.join(root, `p${index}`)]
          ]
          for (const args of [["check", file], ...(index === 0 ? others : [])]) {
            const ended = yield* mooring(args)
            assert.strictEqual(ended.code, 3, text)
            assert.match(ended.stdout + ended.stderr, /\.toml:\d+:\d+: Expected TOML: [a-z ]+/, text)
            assert.notInclude(ended.stdout + ended.stderr, "SECRET")
          }
        })
      )
    }).pipe(Effect.scoped)
  )
})

/** Ten and more things that are wrong with it, each where it is marked by its line and column. */
const WRONG_HOST = `nothing = "SECRET"
[limits]
restart = 5
restarts = "SECRET"
timers_per_plugin = 9007199254740993
dispatch_deadline_ms = -1
[plugins]
enalbed = []
[[plugins.enabled]]
package = 7
id = "SECRET"
version = "SECRET"
digest = "SECRET"
config = { n = nan, token = "SECRET" }
secret = { a = "SECRET" }
[plugins.enabled.secrets]
key = { evn = "SECRET" }
[plugins.enabled.grants]
permission = []
[[plugins.enabled.grants.websocket]]
scheme = "SECRET"
hots = "SECRET"
[plugins.enabled.sources.gateway]
headers = { "SE CRET" = "SECRET" }
`

const AT_HOST = [
  "1:1: nothing: ",
  "3:1: limits.restart: .*restarts",
  "4:1: limits.restarts: ",
  "5:1: limits.timers_per_plugin: ",
  "6:1: limits.dispatch_deadline_ms: ",
  "8:1: plugins.enalbed: .*enabled",
  "10:1: plugins.enabled\\[0\\].package: ",
  "11:1: plugins.enabled\\[0\\].id: ",
  "12:1: plugins.enabled\\[0\\].version: ",
  "13:1: plugins.enabled\\[0\\].digest: ",
  "14:12: plugins.enabled\\[0\\].config.n: ",
  "15:1: plugins.enabled\\[0\\].secret: .*secrets",
  "17:9: plugins.enabled\\[0\\].secrets.key.evn: .*env",
  "19:1: plugins.enabled\\[0\\].grants.permission: .*permissions",
  "20:3: plugins.enabled\\[0\\].grants.websocket\\[0\\].path_prefixes: required",
  "21:1: plugins.enabled\\[0\\].grants.websocket\\[0\\].scheme: ",
  "22:1: plugins.enabled\\[0\\].grants.websocket\\[0\\].hots: .*host",
  "24:13: plugins.enabled\\[0\\].sources.gateway.headers"
]

const WRONG_MANIFEST = `schema_version = 2
id = "SECRET É"
nmae = "SECRET"
version = "SECRET"
surfaces = ["service", 7]
permissions = [{ kind = "surface" }, { kind = "SECRET" }]
[runtime]
kind = "SECRET"
[[ingresses]]
name = "gateway"
sources = ["ws://a/", "ws://a/"]
urgent = ["", "SECRET"]
[[websocket]]
scheme = "ws"
host = "*.SECRET"
`

const AT_MANIFEST = [
  "1:1: schema_version: ",
  "1:1: name: required",
  "2:1: id: ",
  "3:1: nmae: .*name",
  "4:1: version: ",
  "5:24: surfaces\\[1\\]: ",
  "6:16: permissions\\[0\\].surface: required",
  "6:38: permissions\\[1\\]: .*host_api",
  "8:1: runtime.kind: ",
  "11:23: ingresses\\[0\\].sources\\[1\\]: ",
  "12:11: ingresses\\[0\\].urgent\\[0\\]: ",
  "13:3: websocket\\[0\\].path_prefixes: required",
  "15:1: websocket\\[0\\].host: "
]

describe("a file with ten and more errors", () => {
  it.live("has each shown once, with its place, and nothing of what stands there", () =>
    Effect.gen(function* () {
      const root = yield* folder
      write(root, { "host.toml": WRONG_HOST, "echo/plugin.toml": WRONG_MANIFEST, "echo/plugin.js": "" })
      const [host, run, manifest] = yield* each(
        [
          ["check", "host.toml"],
          ["run", "host.toml", "--for", "100ms"],
          ["check", "echo"]
        ],
        (args) => mooring(args, { cwd: root })
      )
      for (const ended of [host, run, manifest]) {
        assert.notInclude(`${ended?.stdout}${ended?.stderr}`.replace("headers.SE CRET", ""), "SECRET")
      }
      const lines = (host?.stdout ?? "").trimEnd().split("\n")
      for (const place of AT_HOST)
        assert.lengthOf(
          lines.filter((line) => line.match(`^host.toml:${place}`)),
          1,
          place
        )
      assert.deepStrictEqual(lines.toSorted(), [...new Set(lines)].toSorted())
      const found = (manifest?.stdout ?? "").trimEnd().split("\n")
      for (const place of AT_MANIFEST) {
        assert.lengthOf(
          found.filter((line) => line.match(`^echo/plugin.toml:${place}`)),
          1,
          place
        )
      }
      assert.lengthOf(found, AT_MANIFEST.length, manifest?.stdout)
      assert.deepStrictEqual([host?.code, manifest?.code], [3, 3])
      // A file with such problems runs what is left of it: nothing.
      assert.strictEqual(run?.code, 0)
      assert.match(run?.stderr ?? "", /host\.toml:1:1: nothing/)
    }).pipe(Effect.scoped)
  )
})

describe("what a command prints", () => {
  it.live("is 1 where the disk is full, with its reason and without a stack", () =>
    Effect.gen(function* () {
      const root = yield* folder
      write(path.join(root, "echo"), ECHO)
      const full = yield* opened("/dev/full", fs.constants.O_WRONLY)
      const asked = [
        ["check", "echo"],
        ["check", "echo", "--json"],
        ["digest", "echo", "--files"],
        ["--completions", "fish"],
        ["run", "--help"]
      ]
      yield* each(asked, (args) =>
        Effect.map(mooring(args, { cwd: root, stdio: ["ignore", full, "pipe"] }), ({ code, stderr }) =>
          assert.deepStrictEqual([code, stderr], [1, "mooring: stdout can't be written: ENOSPC\n"], args.join(" "))
        )
      )
    }).pipe(Effect.scoped)
  )

  it.live("may be looked at the beginning of: no reader that goes away causes a word", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const entry = yield* packaged(root, "echo", server.port)
      save(root, entry())
      for (const [command, began] of [
        ["schema host", "{"],
        ["check host.toml", "project:example.echo would start"],
        ["run host.toml --json --interval 10ms", '{"schema":1']
      ] as const) {
        const { status, stderr, stdout } = spawnSync(
          "bash",
          ["-c", `"$NODE" "$BIN" ${command} | head -n 1; exit \${PIPESTATUS[0]}`],
          {
            cwd: root,
            encoding: "utf8",
            env: { ...process.env, ...CACHED, NODE: process.execPath, BIN },
            timeout: 20_000
          }
        )
        assert.include([0, 1], status, command)
        assert.isTrue(stdout.startsWith(began), stdout)
        assert.notMatch(stderr, /EPIPE|node:internal|^ +at |^mooring: /m, command)
      }
    }).pipe(Effect.scoped)
  )
})
