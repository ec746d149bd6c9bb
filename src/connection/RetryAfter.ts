/**
 * `Retry-After` of an HTTP response (RFC 9110, section 10.2.3): seconds, or a
 * date in one of the three forms of section 5.6.7. Servers also send seconds
 * with a fraction. Whatever else stands there, a parser of dates would make
 * some date of it; here it is none.
 *
 * @since 0.2.0
 */

const SECONDS = /^\d+(?:\.\d+)?$/
const DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
const LONG_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
const MONTH = `(?<month>${MONTHS.join("|")})`
const TIME = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`

const FORMS = [
  // IMF-fixdate, then the obsolete forms of RFC 850 and of C's asctime
  String.raw`^(?:${DAYS}), (?<day>\d\d) ${MONTH} (?<year>\d{4}) ${TIME} GMT$`,
  String.raw`^(?:${LONG_DAYS}), (?<day>\d\d)-${MONTH}-(?<short>\d\d) ${TIME} GMT$`,
  String.raw`^(?:${DAYS}) ${MONTH} (?<day>\d\d| \d) ${TIME} (?<year>\d{4})$`
].map((form) => new RegExp(form))

/**
 * How long to wait, in whole milliseconds from `now` (Unix milliseconds) on,
 * at most `atMostMs`; 0 for a date that is past, null where the value is
 * neither seconds nor a date.
 *
 * @category parsing
 * @since 0.2.0
 */
export const parse = (value: string, now: number, atMostMs: number): number | null => {
  const text = value.trim()
  const millis = SECONDS.test(text) ? Math.ceil(Number(text)) * 1000 : until(text, now)
  return millis === null ? null : Math.min(atMostMs, Math.max(0, Math.ceil(millis)))
}

const until = (text: string, now: number): number | null => {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups
    if (parts === undefined) continue
    const part = (name: string) => Number(parts[name])
    const month = MONTHS.indexOf(String(parts["month"]))
    const date = (year: number) => utc(year, month, part("day"), part("hour"), part("minute"), part("second"))
    return fromNow(parts["short"] === undefined ? date(part("year")) : recent(date, part("short"), now), now)
  }
  return null
}

const fromNow = (date: number | null, now: number) => (date === null ? null : date - now)

/** A year of two digits is the one at most 50 years ahead (RFC 9110, section 5.6.7). */
const recent = (date: (year: number) => number | null, year: number, now: number): number | null => {
  const present = new Date(now).getUTCFullYear()
  const ahead = present - (present % 100) + 100 + year
  const latest = new Date(now).setUTCFullYear(present + 50)
  for (const candidate of [ahead, ahead - 100, ahead - 200]) {
    const found = date(candidate)
    if (found !== null && found <= latest) return found
  }
  return null
}

/** Null where there is no such day or time; the second 60 is a leap second. */
const utc = (year: number, month: number, day: number, hour: number, minute: number, second: number) => {
  if (hour > 23 || minute > 59 || second > 60) return null
  const date = new Date(0)
  date.setUTCFullYear(year, month, day)
  // Of a day that isn't in this month it is another one.
  if (date.getUTCDate() !== day) return null
  return date.setUTCHours(hour, minute, second)
}
