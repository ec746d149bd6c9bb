/**
 * The documents that have everything that a JSON Schema knows: all properties,
 * an item of each alternative in every list, an entry of each in every record.
 */
import { Ajv2020 } from "ajv/dist/2020.js"
import type * as Schema from "effect/Schema"

type Json = Schema.Json

interface Node {
  readonly [keyword: string]: unknown
}

// The first that fits stands in place of any text or number.
const CANDIDATES: ReadonlyArray<Json> = [
  0,
  1,
  100,
  1000,
  65_536,
  16_777_216,
  "example",
  "1.2.3",
  `sha256:${"0".repeat(64)}`,
  "2026-01-01T00:00:00.000Z",
  "project:example.echo",
  "/gateway",
  "ws://a.example.com/gateway",
  "http://proxy.example.com:3128",
  "127.0.0.1:9477",
  "0600",
  "10s"
]

/** One full document for each alternative at the root. */
export const fullest = (schema: Node): ReadonlyArray<Json> =>
  alternatives(schema, schema).map((node) => full(schema, node))

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value)

const nodes = (value: unknown): ReadonlyArray<Node> => (Array.isArray(value) ? value.filter(isNode) : [])

const resolve = (root: Node, node: Node): Node => {
  const reference = node["$ref"]
  if (typeof reference !== "string") return node
  const target = isNode(root["$defs"]) ? root["$defs"][reference.replace("#/$defs/", "")] : undefined
  if (!isNode(target)) throw new Error(`unresolved ${reference}`)
  return resolve(root, target)
}

const alternatives = (root: Node, node: Node): ReadonlyArray<Node> => {
  const resolved = resolve(root, node)
  const union = resolved["type"] === undefined ? nodes(resolved["anyOf"]) : []
  return union.length === 0 ? [resolved] : union.flatMap((other) => alternatives(root, other))
}

const full = (root: Node, unresolved: Node): Json => {
  const node = alternatives(root, unresolved)[0] ?? {}
  if (Array.isArray(node["enum"])) return node["enum"][0] as Json
  switch (node["type"]) {
    case "object":
      return object(root, node)
    case "array":
      return isNode(node["items"]) ? alternatives(root, node["items"]).map((item) => full(root, item)) : ["x"]
    case "string":
    case "integer":
    case "number":
      return fitting(node)
    case "boolean":
      return true
    case "null":
      return null
    default:
      return { any: ["thing"] }
  }
}

/** Of properties that may not be there together, all but the first. */
const excluded = (node: Node): ReadonlyArray<unknown> =>
  [node, ...nodes(node["allOf"])].flatMap(({ not, oneOf }) => [
    ...(isNode(not) ? requiredBy(not).slice(1) : []),
    ...nodes(oneOf).flatMap(requiredBy).slice(1)
  ])

const requiredBy = ({ required }: Node): ReadonlyArray<unknown> => (Array.isArray(required) ? required : [])

const object = (root: Node, node: Node): Json => {
  const without = excluded(node)
  const named = isNode(node["properties"])
    ? Object.entries(node["properties"]).filter(([key]) => !without.includes(key))
    : []
  const others = isNode(node["additionalProperties"]) ? [node["additionalProperties"]] : []
  const patterned = isNode(node["patternProperties"]) ? Object.entries(node["patternProperties"]) : []
  return Object.fromEntries([
    ...named.map(([key, value]) => [key, isNode(value) ? full(root, value) : "x"] as const),
    ...others.flatMap((value) =>
      alternatives(root, value).map((other, index) => [`other${index}`, full(root, other)] as const)
    ),
    ...patterned.flatMap(([pattern, value]) =>
      isNode(value) ? [[String(fitting({ type: "string", pattern })), full(root, value)] as const] : []
    )
  ])
}

const found = new Map<string, Json>()

/** The first candidate that the schema of a text or a number takes. */
const fitting = (node: Node): Json => {
  const key = JSON.stringify(node)
  const validate = found.has(key) ? () => true : new Ajv2020().compile(node)
  const candidate = found.get(key) ?? CANDIDATES.find((one) => validate(one))
  if (candidate === undefined) throw new Error(`no candidate for ${key}`)
  found.set(key, candidate)
  return candidate
}
