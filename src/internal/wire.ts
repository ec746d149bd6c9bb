/**
 * Where the TypeScript API (camelCase) and the wire (snake_case) meet: a
 * struct declared once in camelCase whose encoded form has snake_case keys.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Str from "effect/String"
import * as Bounded from "./bounded.ts"
import { nearest } from "./nearest.ts"

type SnakeCase<S extends string> = S extends `${infer Head}${infer Tail}`
  ? Head extends Lowercase<Head>
    ? `${Head}${SnakeCase<Tail>}`
    : `_${Lowercase<Head>}${SnakeCase<Tail>}`
  : S

type SnakeKeys<Fields extends Schema.Struct.Fields> = {
  readonly [K in keyof Fields]: K extends string ? (K extends `_${string}` ? K : SnakeCase<K>) : K
}

/** A struct whose encoded keys are the snake_case of its fields' names. */
export const struct = <const Fields extends Schema.Struct.Fields>(
  fields: Fields
): Schema.encodeKeys<Schema.Struct<Fields>, SnakeKeys<Fields>> => {
  const keys: Record<string, string> = {}
  for (const key of Object.keys(fields)) keys[key] = key.startsWith("_") ? key : Str.camelToSnake(key)
  // The mapping is built from the same keys as its type, which TypeScript can't follow through a loop.
  return Schema.Struct(fields).pipe(Schema.encodeKeys(keys as SnakeKeys<Fields>))
}

/** A whole number within a range, which is what every refusal says. */
export const wholeNumber = (minimum: number, maximum: number) => {
  const expected = `a whole number from ${minimum} to ${maximum}`
  return Schema.Number.annotate({ message: `Expected ${expected}` }).check(
    // One that fails is enough: both expect the same.
    Schema.isInt({ expected }).abort(),
    Schema.isBetween({ minimum, maximum }, { expected })
  )
}

const utf8 = new TextEncoder()

/**
 * Texts without half a surrogate pair, by what they have: the engines of other languages, which editors check TOML with,
 * have no surrogates and refuse a pattern, and with it the whole schema, that names them.
 */
export const WELL_FORMED = /^[\u0000-\ud7ff\ue000-\u{10ffff}]*$/u

/** A text of so many bytes of UTF-8; one with half a surrogate pair has none. */
export const boundedText = (minimum: number, maximum: number) => {
  const expected = `a text of ${minimum} to ${maximum} bytes of UTF-8`
  return Schema.String.check(
    // As JSON Schema can say it; the bytes are counted below. One that fails is enough: all expect the same.
    Schema.isBetweenLength(minimum, maximum, { expected }).abort(),
    Schema.isPattern(WELL_FORMED, { expected }).abort(),
    Schema.makeFilter((value: string) => utf8.encode(value).length <= maximum, {
      expected,
      toJsonSchema: () => [{}, true]
    })
  )
}

/**
 * One thing that is wrong with a value that somebody wrote: where, and what
 * was expected. Never a piece of the value itself.
 */
export const Problem = Schema.Struct({
  path: Schema.String,
  message: Schema.String,
  /** Where it stands, of what comes from a file; a line and a column begin with 1. */
  file: Schema.optionalKey(Schema.String),
  line: Schema.optionalKey(Schema.Int),
  column: Schema.optionalKey(Schema.Int)
}).annotate({ identifier: "Problem" })

export type Problem = typeof Problem.Type

/** A problem as people read it: `host.toml:14:3: plugins.enabled[1].package: required`. */
export const formatProblem = ({ column, file, line, message, path }: Problem): string =>
  [...(file === undefined ? [] : [[file, line, column].filter((part) => part !== undefined).join(":")]), path, message]
    .filter((part) => part !== "")
    .join(": ")

/** How many unknown keys are compared with the known ones. */
const MOST_COMPARED = 32

/** What the known names of an unknown key's table are. */
const namesOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  SchemaAST.isObjects(ast) ? ast.propertySignatures.map(({ name }) => String(name)) : []

/** Renders a key path as people write it: `websocket[0].path_prefixes`. */
export const formatPath = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`),
    ""
  )

/** What is said of an unknown key. */
type Unexpected = (leaf: SchemaIssue.UnexpectedKey, key: PropertyKey | undefined) => string

/** All problems that a schema found in a value, with their paths; of an unknown key the known one that was likely meant. */
export const problemsOf = (
  issue: SchemaIssue.Issue,
  unexpectedMessage: Unexpected = likelyMeant
): ReadonlyArray<Problem> => {
  const unexpected = new Map<string, SchemaIssue.UnexpectedKey>()
  const format = SchemaIssue.makeFormatterStandardSchemaV1({
    leafHook: (leaf) => {
      if (leaf._tag === "MissingKey" && leaf.annotations?.messageMissingKey === undefined) return "required"
      const message = SchemaIssue.defaultLeafHook(leaf)
      if (leaf._tag !== "UnexpectedKey" || unexpected.size === MOST_COMPARED) return message
      // The leaf doesn't know its key: it is found again by a message of its own.
      const mark = `\0${unexpected.size}`
      unexpected.set(mark, leaf)
      return mark
    }
  })
  return once(
    format(issue).issues.map(({ message, path = [] }) => {
      const keys = path.map((segment) => (typeof segment === "object" ? segment.key : segment))
      const leaf = unexpected.get(message)
      return { path: formatPath(keys), message: leaf === undefined ? message : unexpectedMessage(leaf, keys.at(-1)) }
    })
  )
}

/** All the known names: where the unknown key can't be shown, it takes these to see which one it is. */
export const allKnown: Unexpected = (leaf) => {
  const names = namesOf(leaf.ast)
  return names.length === 0 ? SchemaIssue.defaultLeafHook(leaf) : `Expected no property but ${names.join(", ")}`
}

const HINT = " (did you mean "

/** Each once, of what several readers or members of a union say; with the hint that one of them has. */
export const once = (problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> => {
  const known = new Map<string, Problem>()
  for (const problem of problems) {
    const key = JSON.stringify([problem.path, problem.message.split(HINT)[0]])
    const before = known.get(key)
    if (before === undefined || problem.message.length > before.message.length) known.set(key, problem)
  }
  return [...known.values()]
}

/** The known name that is nearest, where one is near. */
const likelyMeant: Unexpected = (leaf, key) => {
  const meant = nearest(String(key), namesOf(leaf.ast))
  return `${SchemaIssue.defaultLeafHook(leaf)}${meant === undefined ? "" : `${HINT}${meant}?)`}`
}

/** A text of at most so many characters: code points, which is what JSON Schema counts. */
export const characters = (maximum: number) =>
  Schema.String.check(
    Schema.makeFilter((text: string) => text.length <= maximum || isWithin(text, maximum), {
      expected: `at most ${maximum} characters`,
      toJsonSchema: () => ({ maxLength: maximum })
    })
  )

const isWithin = (text: string, maximum: number): boolean =>
  text.length <= 2 * maximum && Array.from(text).length <= maximum

/** How untrusted values are decoded: everything wrong at once, unknown keys included. */
export const strict = { errors: "all", onExcessProperty: "error" } as const

interface Beside {
  /** What the copy becomes before it is decoded. */
  readonly prepare?: (copy: unknown) => unknown
  /** What else is wrong with it, listed with what the schema finds. */
  readonly problems?: (copy: unknown) => ReadonlyArray<Problem>
  /** What is told elsewhere where nothing else is wrong, and would only be found once that is mended. */
  readonly later?: (copy: unknown) => ReadonlyArray<Problem>
}

/** Decodes a bounded copy of what somebody wrote; all that is wrong with it where it can't be. */
export const decoder = <A, I>(schema: Schema.Codec<A, I>, beside: Beside = {}) => {
  const decode = Schema.decodeUnknownResult(schema, strict)
  const { later = () => [], prepare = (copy: unknown) => copy, problems: others = () => [] } = beside
  return (input: unknown): Result.Result<A, ReadonlyArray<Problem>> => {
    try {
      const copy = Bounded.copy(input)
      if (Result.isFailure(copy)) return Result.fail([refusalOf(copy.failure)])
      const decoded = decode(prepare(copy.success))
      const problems = Result.isFailure(decoded) ? problemsOf(decoded.failure.issue) : []
      const all = [...problems, ...others(copy.success)]
      if (Result.isSuccess(decoded) && all.length === 0) return Result.succeed(decoded.success)
      return Result.fail([...all, ...later(copy.success)])
    } catch {
      // An object of a program's own may throw when it is looked at.
      return Result.fail([{ path: "", message: "Expected a value that can be read" }])
    }
  }
}

const refusalOf = ({ expected, key }: Bounded.Refusal): Problem => ({
  path: formatPath(key === undefined ? [] : [key]),
  message: `Expected ${expected}`
})
