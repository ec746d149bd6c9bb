/**
 * What docs/examples/operate/Containerfile says, played without a container runtime: namespaces of its own for mounts
 * and processes, a root of which nothing can be written, with Node and the project in it and no shell, and a user
 * whose number is all that there is of it.
 */
import * as Effect from "effect/Effect"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import type { Ended } from "./program.ts"

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url))
const FILE = fileURLToPath(new URL("../../../docs/examples/operate/Containerfile", import.meta.url))

interface Instruction {
  readonly name: string
  readonly rest: string
}

/** The instructions of a container file, each as one line. */
export const instructionsOf = (text: string): ReadonlyArray<Instruction> =>
  text
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .flatMap((line) => {
      const [, name, rest] = /^([A-Z]+) (.+)$/.exec(line) ?? []
      return name === undefined || rest === undefined ? [] : [{ name, rest }]
    })

/** The words of a list. */
export const wordsOf = (list = "[]"): ReadonlyArray<string> => JSON.parse(list)

const instructions = instructionsOf(fs.readFileSync(FILE, "utf8"))
const restOf = (name: string) => instructions.find((one) => one.name === name)?.rest ?? ""

const SEARCHED = restOf("ENV").replace(/^PATH=/, "")
/** Its words with the program's source in place of what was built of it. */
const played = (words: ReadonlyArray<string>) =>
  words.map((word) => (word.endsWith("/dist/cli/bin.cjs") ? "/opt/mooring/src/cli/bin.cts" : word))

const ENTRY = wordsOf(restOf("ENTRYPOINT"))
export const COMMAND = played([...ENTRY, ...wordsOf(restOf("CMD"))])
export const HEALTH = played(wordsOf(/CMD (\[.*\])$/.exec(restOf("HEALTHCHECK"))?.[1]))
/** The same program with other words. */
export const other = (...words: ReadonlyArray<string>) => played([...ENTRY, ...words])

const USER = restOf("USER")
const [UID = "", GID = ""] = USER.split(":")

/** `sh -ec`: makes the root `$0` of project, Node and the folder of host file, and becomes what follows them in it. */
const SCRIPT = `
mount -t tmpfs -o mode=755 tmpfs "$0"
cd "$0"
mkdir -p proc dev opt/mooring etc/mooring run/mooring usr/local/bin
for dir in lib lib64 usr/lib usr/lib64; do
  if [ -L "/$dir" ]; then cp -P "/$dir" "$dir"
  elif [ -d "/$dir" ]; then mkdir -p "$dir"; mount --bind "/$dir" "$dir"; mount -o remount,bind,ro "$dir"; fi
done
touch dev/null usr/local/bin/node
mount --bind /dev/null dev/null
mount --bind "$2" usr/local/bin/node
mount -o remount,bind,ro usr/local/bin/node
mount --bind "$1" opt/mooring
mount -o remount,bind,ro opt/mooring
mount --bind "$3" etc/mooring
mount -o remount,bind,ro etc/mooring
mount -t proc proc proc
mount -t tmpfs -o mode=1777 tmpfs run/mooring
mount -o remount,ro "$0"
shift 3
chroot=$(command -v chroot)
exec env -i PATH="${SEARCHED}" "$chroot" --userspec="${USER}" --groups="${GID}" "$0" "$@"
`

const NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]

const [unshare = "", ...probe] = [...NAMESPACES, "sh", "-ec", "mount -t tmpfs tmpfs /mnt", "sh"]

const probed = (): string | undefined => {
  if (process.platform !== "linux") return "needs Linux"
  if (process.getuid?.() !== 0) return "needs root"
  if (spawnSync("nsenter", ["--version"], { stdio: "ignore" }).status !== 0) return "needs nsenter"
  return spawnSync(unshare, probe, { stdio: "ignore" }).status === 0
    ? undefined
    : "needs namespaces, and to mount in them"
}

/** Why nothing can be played here; undefined where it can. */
export const missing: string | undefined = probed()

/** What runs a command in a container, whose root is made at a folder that is empty. */
export const inside = (root: string, hostFolder: string): ReadonlyArray<string> => [
  ...NAMESPACES,
  "sh",
  "-ec",
  SCRIPT,
  root,
  PROJECT,
  process.execPath,
  hostFolder
]

/** The process that is the first one in the container, by its number outside. */
export const firstIn = (unshared: number | undefined): number =>
  Number(fs.readFileSync(`/proc/${unshared}/task/${unshared}/children`, "utf8").split(" ")[0])

/** Runs a command in a container that runs, as `docker exec` does. */
export const executed = (first: number, command: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    const entered = ["-t", String(first), "-m", "-p", "-r", "-w/", "-S", UID, "-G", GID, "--", ...command]
    const child = spawn("nsenter", entered, {
      env: { PATH: SEARCHED },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let [stdout, stderr] = ["", ""]
    child.stdout.on("data", (chunk) => (stdout += String(chunk)))
    child.stderr.on("data", (chunk) => (stderr += String(chunk)))
    child.on("close", (code, signal) => resume(Effect.succeed({ code, signal, stdout, stderr })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** The states of all processes that share the namespace of this one, itself apart, by their numbers there. */
export const processesBeside = (first: number): ReadonlyMap<string, string> => {
  const namespace = fs.readlinkSync(`/proc/${first}/ns/pid`)
  const states = new Map<string, string>()
  for (const pid of fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(first))) {
    try {
      if (fs.readlinkSync(`/proc/${pid}/ns/pid`) !== namespace) continue
      states.set(pid, fs.readFileSync(`/proc/${pid}/stat`, "utf8"))
    } catch {
      // It has ended meanwhile.
    }
  }
  return states
}
