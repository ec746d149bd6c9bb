/** The files that the host serves as its page: whole by themselves, and by relative paths alone. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Dashboard } from "mooring/operate"

const HOST = "http://host"

/** What a file has loaded: modules that it imports, and what its markup names. */
const loads = (path: string, text: string): ReadonlyArray<string> => {
  if (path.endsWith(".js")) {
    return [...text.matchAll(/^(?:import|export)\s+(?:[\w*{}\s,$]+\s+from\s+)?["']([^"']+)["']/gmu)].map(
      ([, name = ""]) => name
    )
  }
  if (path === "/" || path.endsWith(".html")) {
    return [...text.matchAll(/\b(?:src|href)="([^"]*)"/gu)].map(([, name = ""]) => name)
  }
  return path.endsWith(".css") ? [...text.matchAll(/url\(([^)]*)\)|@import/gu)].map(([, name = "@import"]) => name) : []
}

describe("the files of the dashboard", () => {
  it.effect("load nothing but each other, by relative paths", () =>
    Effect.gen(function* () {
      const files = yield* Dashboard.files
      const wrong: Array<string> = []
      let count = 0
      for (const [path, { bytes }] of files) {
        for (const name of loads(path, new TextDecoder().decode(bytes))) {
          count++
          const { origin, pathname } = new URL(name, `${HOST}${path}`)
          // In a module only what begins with a dot is relative.
          const isRelative = !name.startsWith("/") && (!path.endsWith(".js") || name.startsWith("."))
          if (!isRelative || origin !== HOST || !files.has(pathname)) wrong.push(`${path}: ${name}`)
        }
      }
      assert.isAbove(count, 60)
      assert.deepStrictEqual(wrong, [])
    })
  )

  it.effect("have nothing inline that their policy forbids, and the type that a browser wants of a module", () =>
    Effect.gen(function* () {
      const files = yield* Dashboard.files
      for (const [path, { bytes, contentType }] of files) {
        if (path.endsWith(".js")) assert.match(contentType, /^text\/javascript/u, path)
        if (!contentType.startsWith("text/html")) continue
        const text = new TextDecoder().decode(bytes)
        assert.notMatch(text, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/u, path)
      }
      assert.deepStrictEqual(
        ["/", "/page/main.js", "/docs/errors.md"].map((path) => files.has(path)),
        [true, true, true]
      )
    })
  )
})
