/** As much of a terminal as the screen relies on, and the lines that stand on it. */

/** A character, and the number of its colour or weight (ECMA-48), 0 without. */
export interface Cell {
  readonly character: string
  readonly style: number
}

export const terminal = (columns: number) => {
  const rows: Array<Array<Cell>> = [[]]
  let row = 0
  let column = 0
  let style = 0

  const rowAt = (index: number): Array<Cell> => {
    while (rows.length <= index) rows.push([])
    return rows[index] ?? []
  }

  const put = (character: string) => {
    if (column === columns) {
      row++
      column = 0
    }
    const cells = rowAt(row)
    while (cells.length < column) cells.push({ character: " ", style: 0 })
    cells[column] = { character, style }
    column++
  }

  const escape = (count: string | undefined, command: string | undefined) => {
    if (command === "m") style = Number(count)
    if (command === "A") row = Math.max(0, row - Math.max(1, Number(count)))
    if (command === "K" || command === "J") rowAt(row).splice(column)
    if (command === "J") rows.splice(row + 1)
  }

  return {
    write: (text: string) => {
      for (const [, count, command, character] of text.matchAll(/\u001b\[(\d*)([A-Zm])|([\s\S])/gu)) {
        if (character === undefined) escape(count, command)
        else if (character === "\r") column = 0
        else if (character === "\n") {
          row++
          column = 0
          rowAt(row)
        } else put(character)
      }
    },
    cells: (): ReadonlyArray<ReadonlyArray<Cell>> => rows.slice(0, -1),
    lines: (): ReadonlyArray<string> =>
      rows.slice(0, -1).map((cells) => cells.map(({ character }) => character).join(""))
  }
}
