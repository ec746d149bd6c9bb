/**
 * Texts whose UTF-8 is at an edge, after the groups of Markus Kuhn's stress test for decoders (as the sixth section of
 * Autobahn's suite for WebSockets has them): each whole, in one frame and in a fragment for each byte.
 */
import * as Servers from "../../support/servers.ts"
import { message } from "./streams.ts"

const groups: { readonly [group: string]: ReadonlyArray<string> } = {
  "valid texts": [
    "68656c6c6f24776f726c64",
    "68656c6c6fc2a2776f726c64",
    "68656c6c6fe282ac776f726c64",
    "68656c6c6ff0a4ada2776f726c64"
  ],
  "prefixes of one": Array.from({ length: 11 }, (_, at) => "cebae1bdb9cf83cebcceb5".slice(0, 2 * (at + 1))),
  "first of a length": ["00", "c280", "e0a080", "f0908080", "f888808080", "fc8480808080"],
  "last of a length": ["7f", "dfbf", "efbfbf", "f48fbfbf", "f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"],
  "other bounds": ["ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "f4908080"],
  "continuations of nothing": ["80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80", "80bf80bf80bf"],
  "all continuations": [Buffer.from(Array.from({ length: 64 }, (_, nth) => 0x80 + nth)).toString("hex")],
  "lonely beginnings": (
    [
      [0xc0, 0xdf],
      [0xe0, 0xef],
      [0xf0, 0xf7],
      [0xf8, 0xfb],
      [0xfc, 0xfd]
    ] as const
  ).map(([from, to]) =>
    Buffer.from(Array.from({ length: to - from + 1 }, (_, nth) => [from + nth, 0x20]).flat()).toString("hex")
  ),
  "last byte missing": [
    "c0",
    "e080",
    "f08080",
    "f8808080",
    "fc80808080",
    "df",
    "efbf",
    "f7bfbf",
    "fbbfbfbf",
    "fdbfbfbfbf"
  ],
  "impossible bytes": ["fe", "ff", "fefeffff"],
  "overlong slash": ["c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"],
  "longest overlong": ["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"],
  "overlong zero": ["c080", "e08080", "f0808080", "f880808080", "fc8080808080"],
  "single surrogates": ["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"],
  "paired surrogates": ["eda080edb080", "eda080edbfbf", "edadbfedb080", "edadbfedbfbf", "edae80edb080", "edafbfedbfbf"],
  "no characters": ["efbfbe", "efbfbf", "f09fbfbe", "f09fbfbf", "f0afbfbe", "f3bfbfbf", "f48fbfbe", "f48fbfbf"],
  specials: ["efbfb9", "efbfba", "efbfbb", "efbfbc", "efbfbd", "efbbbf", "efbfbdefbfbd"]
}

export const UTF8_CASES: ReadonlyArray<{ readonly name: string; readonly bytes: Buffer }> = Object.entries(
  groups
).flatMap(([group, texts]) =>
  texts.flatMap((hex) => {
    const payload = Buffer.from(hex, "hex")
    return [
      { name: `${group}: ${hex}`, bytes: Servers.frame(Servers.TEXT, payload) },
      { name: `${group}: ${hex} in fragments`, bytes: message(Servers.TEXT, payload, payload.length, false) }
    ]
  })
)
