#!/usr/bin/env node
/**
 * What is executed as `mooring`: it looks at the version of Node, takes the
 * signals, and only then loads the program, most of which can't be loaded by
 * an old one. So it is CommonJS that requires nothing that Node 10 doesn't have,
 * and that it can parse.
 */
const tty: { readonly isatty: (fd: number) => boolean } = require("tty")

type Ending = "SIGINT" | "SIGTERM" | "SIGHUP"

const LEAST = [22, 19] as const
const WRONG_RUNTIME = 2
const SECOND = { SIGINT: 130, SIGTERM: 143 } as const

const isOld = (version: string): boolean => {
  const parts = version.split(".")
  const major = Number(parts[0])
  return major < LEAST[0] || (major === LEAST[0] && Number(parts[1]) < LEAST[1])
}

/** Keeps what comes before somebody listens; a second one ends the process at once. */
const takeSignals = () => {
  const received: Array<Ending> = []
  let told = false
  let listener = (signal: Ending): void => {
    received.push(signal)
  }
  const end = (signal: "SIGINT" | "SIGTERM") => {
    if (told) process.exit(SECOND[signal])
    told = true
    listener(signal)
  }
  process.on("SIGINT", end)
  process.on("SIGTERM", end)
  // Whoever reads a terminal that is gone was left alone, and is told by the one signal as often as anybody likes.
  const wasAtTerminal = tty.isatty(0)
  process.on("SIGHUP", () => {
    if (!wasAtTerminal || tty.isatty(0)) return listener("SIGHUP")
    if (!told) end("SIGTERM")
  })
  return {
    listen: (next: (signal: Ending) => void) => {
      listener = next
      received.forEach(next)
    }
  }
}

if (isOld(process.versions.node)) {
  process.stderr.write(`mooring needs Node ${LEAST.join(".")} or later, and this is ${process.versions.node}\n`)
  process.exitCode = WRONG_RUNTIME
} else {
  const signals = takeSignals()
  void import("./main.ts").then(({ main }) => main(signals))
}
