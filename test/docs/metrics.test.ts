/** The page of metrics, and the dashboard, against the metrics that there are. */
import { assert, describe, it } from "@effect/vitest"
import { Metrics } from "mooring/operate"
import * as fs from "node:fs"
import * as path from "node:path"
import { read, ROOT } from "./markdown.ts"

const PAGE = "docs/metrics.md"

/** Every metric that a text names, without what a histogram's series have behind it. */
const namedIn = (text: string): ReadonlySet<string> =>
  new Set(
    [...text.matchAll(/\bmooring_[a-z_]+/g)].map(([name]) => name.replace(/_seconds_(?:bucket|sum|count)$/, "_seconds"))
  )

describe("the documentation of metrics", () => {
  const rows = [...read(PAGE).matchAll(/^\| `(mooring_[a-z_]+)` \| (.+?) \| (.*)\|$/gm)]

  it("has each of them once, in a row with its meaning", () => {
    assert.sameMembers(
      rows.map(([, name]) => name),
      [...Metrics.names]
    )
    for (const [, , meaning = ""] of rows) assert.isAbove(meaning.length, 10)
  })

  it("has alerts that name their own metric, and no other than there are", () => {
    for (const [, name = "", , alert = ""] of rows) if (alert.trim() !== "") assert.include([...namedIn(alert)], name)
    for (const name of namedIn(read(PAGE))) assert.include(Metrics.names, name)
  })

  it("has a dashboard of them that Grafana can import", () => {
    const text = fs.readFileSync(path.join(ROOT, "docs/examples/operate/grafana.json"), "utf8")
    const { panels, schemaVersion, templating, title } = JSON.parse(text)
    assert.isAbove(schemaVersion, 30)
    assert.strictEqual(title, "Mooring")
    assert.include(
      templating.list.map(({ name }: { readonly name: string }) => name),
      "plugin"
    )
    assert.isAbove(panels.length, 8)
    const ids = panels.map(({ id }: { readonly id: number }) => id)
    assert.strictEqual(new Set(ids).size, ids.length)
    for (const { gridPos, targets, title: of } of panels) {
      assert.hasAllKeys(gridPos, ["h", "w", "x", "y"])
      assert.isNotEmpty(of)
      for (const { expr } of targets) {
        assert.isAbove(namedIn(expr).size, 0)
        for (const name of namedIn(expr)) assert.include(Metrics.names, name)
      }
    }
  })
})
