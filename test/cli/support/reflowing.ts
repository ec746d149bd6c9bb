/**
 * A terminal that wraps what is too wide and wraps it anew when it is resized,
 * as most do. What it holds are lines as they were written, whatever rows they take.
 */
export const reflowing = (width: number) => {
  let columns = width
  const lines: Array<string> = [""]
  // Where the cursor is: which line, and behind how many of its characters.
  let line = 0
  let at = 0

  /** Where each row begins. */
  const rows = () =>
    lines.flatMap((text, index) =>
      Array.from({ length: Math.max(1, Math.ceil(text.length / columns)) }, (_, row) => ({
        line: index,
        from: row * columns
      }))
    )

  const rowOf = () =>
    rows().findLastIndex((row) => row.line < line || (row.line === line && (row.from < at || row.from === 0)))

  const up = (count: number) => {
    const to = rows()[Math.max(0, rowOf() - count)]
    line = to?.line ?? 0
    at = to?.from ?? 0
  }

  const put = (character: string) => {
    const text = (lines[line] ?? "").padEnd(at)
    lines[line] = text.slice(0, at) + character + text.slice(at + 1)
    at++
  }

  const down = () => {
    const row = rowOf()
    const next = rows()[row + 1]
    if (next !== undefined && next.line === line) {
      // A line that was one is two from here on, the first without what was erased.
      const text = lines[line] ?? ""
      lines.splice(line, 1, text.slice(0, next.from).trimEnd(), text.slice(next.from))
    }
    line++
    at = 0
    if (lines.length <= line) lines.push("")
  }

  const escape = (count: string | undefined, command: string | undefined) => {
    if (command === "A") up(Math.max(1, Number(count)))
    if (command !== "K" && command !== "J") return
    const end = command === "J" ? Infinity : (rows()[rowOf()]?.from ?? 0) + columns
    const text = lines[line] ?? ""
    lines[line] = text.length > end ? text.slice(0, at).padEnd(end) + text.slice(end) : text.slice(0, at)
    if (command === "J") lines.splice(line + 1)
  }

  return {
    write: (text: string) => {
      for (const [, count, command, character] of text.matchAll(/\u001b\[(\d*)([A-Zm])|([\s\S])/gu)) {
        if (character === undefined) escape(count, command)
        else if (character === "\r") at = rows()[rowOf()]?.from ?? 0
        else if (character === "\n") down()
        else put(character)
      }
    },
    resize: (to: number) => {
      columns = to
    },
    lines: (): ReadonlyArray<string> => lines.slice(0, -1).map((text) => text.trimEnd())
  }
}
