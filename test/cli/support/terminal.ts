/** As much of a terminal as the screen relies on, and the lines that stand on it. */
export const terminal = (columns: number) => {
  const rows: Array<string> = [""]
  let row = 0
  let column = 0

  const put = (character: string) => {
    if (column === columns) {
      row++
      column = 0
    }
    while (rows.length <= row) rows.push("")
    const line = (rows[row] ?? "").padEnd(column)
    rows[row] = line.slice(0, column) + character + line.slice(column + 1)
    column++
  }

  const escape = (count: string | undefined, command: string | undefined) => {
    if (command === "A") row = Math.max(0, row - Math.max(1, Number(count)))
    if (command === "K") rows[row] = (rows[row] ?? "").slice(0, column)
    if (command === "J") {
      rows[row] = (rows[row] ?? "").slice(0, column)
      rows.splice(row + 1)
    }
  }

  return {
    write: (text: string) => {
      for (const [, count, command, character] of text.matchAll(/\u001b\[(\d*)([A-Z])|([\s\S])/g)) {
        if (character === undefined) escape(count, command)
        else if (character === "\r") column = 0
        else if (character === "\n") {
          row++
          column = 0
          if (rows.length <= row) rows.push("")
        } else put(character)
      }
    },
    lines: (): ReadonlyArray<string> => rows.slice(0, -1)
  }
}
