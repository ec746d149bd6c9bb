/** Figures and times as people read them. */

const whole = new Intl.NumberFormat("en")
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 })
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false
})
const minutes = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false })
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium", hour12: false })

const LONG = 100_000

export const count = (value: number): string => (value < LONG ? whole : short).format(value)

/** A dash where there is nothing to tell. */
export const rate = (perSecond: number | null): string =>
  perSecond === null ? "\u2013" : `${short.format(perSecond)}/s`

/** The time of a day; with the day where it is another one than today. */
export const time = (at: string | number | null): string => {
  if (at === null) return "\u2013"
  const date = new Date(at)
  return (date.toDateString() === new Date().toDateString() ? clock : day).format(date)
}

export const minute = (at: number): string => minutes.format(at)

const MIB = 1_048_576

export const mebibytes = (bytes: number | null): string =>
  bytes === null ? "\u2013" : `${Math.round(bytes / MIB)} MiB`

export const plural = (number: number, one: string, more: string): string =>
  `${count(number)} ${number === 1 ? one : more}`
