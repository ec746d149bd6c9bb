/** The files of docs/examples/operate that are copied, and what docs/operations.md says of them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { folder } from "../cli/support/files.ts"
import { instructionsOf, wordsOf } from "../cli/support/container.ts"
import { blocksOf, read } from "./markdown.ts"

const UNIT = "docs/examples/operate/mooring.service"
const CONTAINERFILE = "docs/examples/operate/Containerfile"
const operations = read("docs/operations.md")

/** Through a shell, for which a program that isn't there is no error of its own. */
const systemd = (...args: ReadonlyArray<string>) =>
  spawnSync("sh", ["-c", 'systemd-analyze "$@"', "sh", ...args], { encoding: "utf8" })

const canVerify = systemd("--version").status === 0

/** The settings of a unit, by their sections. */
const settingsOf = (unit: string): ReadonlyMap<string, ReadonlyMap<string, string>> => {
  const sections = new Map<string, Map<string, string>>()
  let section = new Map<string, string>()
  for (const line of unit.split("\n")) {
    const [, name] = /^\[(\w+)\]$/.exec(line) ?? []
    if (name !== undefined) sections.set(name, (section = new Map()))
    else if (line !== "" && !line.startsWith("#")) {
      const [, key = "", value = ""] = /^(\w+)=(.*)$/.exec(line) ?? assert.fail(line)
      assert.isFalse(section.has(key), key)
      section.set(key, value)
    }
  }
  return sections
}

describe("the unit for systemd", () => {
  const sections = settingsOf(read(UNIT))
  const service = sections.get("Service") ?? new Map<string, string>()

  it("runs, reloads, ends and is started again as the program does these", () => {
    assert.deepStrictEqual([...sections.keys()], ["Unit", "Service", "Install"])
    assert.strictEqual(sections.get("Unit")?.get("StartLimitIntervalSec"), "0")
    const expected = {
      Type: "exec",
      ExecStart: "/usr/local/bin/mooring run /etc/mooring/host.toml --log-format json",
      ExecReload: "/bin/kill -HUP $MAINPID",
      Restart: "always",
      RestartPreventExitStatus: "2"
    }
    for (const [key, value] of Object.entries(expected)) assert.strictEqual(service.get(key), value, key)
    // More than a peer has to close.
    assert.isAbove(Number(service.get("TimeoutStopSec")), 5)
  })

  it("has no more privileges than it needs, and none of what Node doesn't start with", () => {
    assert.strictEqual(service.get("DynamicUser"), "yes")
    assert.strictEqual(service.get("ProtectSystem"), "strict")
    assert.strictEqual(service.get("NoNewPrivileges"), "yes")
    assert.strictEqual(service.get("CapabilityBoundingSet"), "")
    for (const [key, value] of service)
      if (/^(?:Protect|Private|Restrict(?!Prevent)|Lock)/.test(key)) assert.notStrictEqual(value, "no", key)
    for (const key of ["LimitAS", "MemoryDenyWriteExecute", "User", "ReadWritePaths"])
      assert.isFalse(service.has(key), key)
    assert.include(read(UNIT), "MemoryDenyWriteExecute=")
  })

  it.live(`is one that systemd takes${canVerify ? "" : " [skipped: needs systemd-analyze]"}`, ({ skip }) =>
    Effect.gen(function* () {
      if (!canVerify) skip("needs systemd-analyze")
      const unit = path.join(yield* folder, "mooring.service")
      const verified = (of: string) => {
        fs.writeFileSync(unit, of.replace("/usr/local/bin/mooring", process.execPath))
        const { stderr } = systemd("verify", "--man=no", unit)
        return stderr.split("\n").filter((line) => line.includes("mooring.service"))
      }
      assert.deepStrictEqual(verified(read(UNIT)), [])
      assert.isNotEmpty(verified(read(UNIT).replace("ProtectSystem=strict", "ProtectSystm=strict")))
    }).pipe(Effect.scoped)
  )

  it("is told of by each of its settings that the page names", () => {
    const from = operations.indexOf("## Under systemd")
    const section = operations.slice(from, operations.indexOf("\n## ", from))
    const named = [...section.matchAll(/`([A-Z]\w+)=[^`]*`/g)].map(([, key = ""]) => key)
    const absent = ["LoadCredential", "LimitAS", "MemoryMax", "MemoryDenyWriteExecute"]
    for (const key of named) assert.isTrue(service.has(key) || absent.includes(key), key)
    assert.isAbove(named.length, 8)
  })
})

describe("the Containerfile", () => {
  const instructions = instructionsOf(read(CONTAINERFILE))
  const all = (name: string) => instructions.flatMap((one) => (one.name === name ? [one.rest] : []))

  it("builds on images that are given, and names no place to load anything from", () => {
    assert.deepStrictEqual(all("FROM"), ["${BUILD_IMAGE} AS build", "${RUN_IMAGE}"])
    assert.deepStrictEqual(all("ARG"), ["BUILD_IMAGE", "RUN_IMAGE", "PACKAGE"])
    assert.notMatch(read(CONTAINERFILE), /\/\/|\.(?:io|com|org)\b/)
  })

  it("runs the program itself, as a user without a name, from lists that need no shell", () => {
    const last = instructions.findLastIndex(({ name }) => name === "FROM")
    assert.notInclude(
      instructions.slice(last).map(({ name }) => name),
      "RUN"
    )
    assert.match(all("USER")[0] ?? "", /^\d+:\d+$/)
    const [program = "", bin = ""] = wordsOf(all("ENTRYPOINT")[0])
    assert.strictEqual(program, "node")
    assert.match(bin, /\/mooring\/dist\/cli\/bin\.cjs$/)
    assert.deepStrictEqual(wordsOf(all("CMD")[0]).slice(0, 2), ["run", "/etc/mooring/host.toml"])
    const [, health = ""] = /CMD (\[.*\])$/.exec(all("HEALTHCHECK")[0] ?? "") ?? []
    assert.deepStrictEqual(wordsOf(health), [program, bin, "ctl", "health", "/etc/mooring/host.toml"])
  })

  it("is run by a command that mounts folders, and no file", () => {
    const [run = ""] = blocksOf("", operations).flatMap(({ text }) => (text.startsWith("docker run") ? [text] : []))
    const mounts = [...run.matchAll(/ -v \S+:(\/\S+?):ro/g)].map(([, to]) => to)
    assert.deepStrictEqual(mounts, ["/etc/mooring"])
    assert.include(run, "--read-only")
  })
})

describe("the probes for Kubernetes", () => {
  it("ask where there are answers", () => {
    const [yaml = ""] = blocksOf("", operations).flatMap(({ language, text }) => (language === "yaml" ? [text] : []))
    const probes = [...yaml.matchAll(/^(\w+)Probe: \{ httpGet: \{ path: (\/\w+), port: (\d+) \}/gm)]
    assert.deepStrictEqual(
      probes.map(([, name, at]) => [name, at]),
      [
        ["startup", "/readyz"],
        ["readiness", "/readyz"],
        ["liveness", "/healthz"]
      ]
    )
    const ports = new Set(probes.map(([, , , port]) => port))
    for (const port of ports) assert.include(operations, `listen = "0.0.0.0:${port}"`)
  })
})
