/**
 * The program's log: one line an entry on stderr, written by the program
 * itself, since `console` ends the process where stderr can't be written.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { clean } from "./cells.ts"
import { colour, type Colour } from "./style.ts"

type Write = (line: string) => void

/** Where the lines are read: on a terminal they have the time of day, and a colour for what is wrong. */
interface Look {
  readonly live: boolean
  readonly isColoured: boolean
}

/** The logger in place of Effect's; lines are texts for people, or JSON. */
export const layer = (write: Write, format: "pretty" | "json" = "pretty", look?: Look): Layer.Layer<never> =>
  Logger.layer([
    Logger.make<unknown, void>(({ cause, date, fiber, logLevel, message }) => {
      const told = Arr.ensure(message)
      const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations))
      if (format === "json") {
        const entry = {
          at: date.toISOString(),
          level: LEVELS.get(logLevel) ?? "info",
          message: told.map(textOf).join(" ")
        }
        const stack = cause.reasons.length === 0 ? {} : { stack: Cause.pretty(cause) }
        return write(JSON.stringify({ ...Object.fromEntries(annotations), ...entry, ...stack }))
      }
      const words = [...told.map(textOf), ...annotations.map(([key, value]) => `${key}=${textOf(value)}`)]
      write([lineFor(look)(date, logLevel, words.join(" ")), ...stackOf(cause)].join("\n"))
    })
  ])

/** As `--log-level` and the status call them. */
const LEVELS: ReadonlyMap<string, string> = new Map([
  ["Trace", "debug"],
  ["Debug", "debug"],
  ["Warn", "warning"],
  ["Error", "error"],
  ["Fatal", "error"]
])

/** A line of the log. */
export const line = (date: Date, level: string, text: string): string =>
  `${date.toISOString()} ${level.toUpperCase().padEnd(5)} ${clean(text)}`

const lineFor =
  (look: Look | undefined): typeof line =>
  (date, level, text) => {
    if (look?.live !== true) return line(date, level, text)
    const name = level.toUpperCase()
    const known = COLOURS.get(name)
    const shown = look.isColoured && known !== undefined ? colour(name.padEnd(5), known) : name.padEnd(5)
    return `${date.toISOString().slice(11, 19)} ${shown} ${clean(text)}`
  }

const COLOURS: ReadonlyMap<string, Colour> = new Map([
  ["DEBUG", "dim"],
  ["INFO", "green"],
  ["WARN", "yellow"],
  ["ERROR", "red"],
  ["FATAL", "red"]
])

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (value instanceof Error) return value.message
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return "a value that can't be shown"
  }
}

const stackOf = (cause: Cause.Cause<unknown>): ReadonlyArray<string> =>
  cause.reasons.length === 0
    ? []
    : Cause.pretty(cause)
        .split("\n")
        .map((frame) => `    ${clean(frame)}`)
