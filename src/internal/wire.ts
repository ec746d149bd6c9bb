/**
 * Where the TypeScript API (camelCase) and the wire (snake_case) meet: a
 * struct declared once in camelCase whose encoded form has snake_case keys.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Str from "effect/String"
import * as Bounded from "./bounded.ts"

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
    Schema.isInt({ expected }),
    Schema.isBetween({ minimum, maximum }, { expected })
  )
}

const utf8 = new TextEncoder()

/** A text of so many bytes of UTF-8; one with half a surrogate pair has none. */
export const boundedText = (minimum: number, maximum: number) => {
  const expected = `a text of ${minimum} to ${maximum} bytes of UTF-8`
  return Schema.String.check(
    // As JSON Schema can say it; the bytes are counted below. One that fails is enough: all expect the same.
    Schema.isBetweenLength(minimum, maximum, { expected }).abort(),
    Schema.isPattern(/^[^\ud800-\udfff]*$/u, { expected }).abort(),
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
  message: Schema.String
}).annotate({ identifier: "Problem" })

export type Problem = typeof Problem.Type

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** Renders a key path as people write it: `websocket[0].path_prefixes`. */
export const formatPath = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`),
    ""
  )

/** All problems that a schema found in a value, with their paths. */
export const problemsOf = (issue: SchemaIssue.Issue): ReadonlyArray<Problem> =>
  format(issue).issues.map((found) => ({
    path: formatPath(found.path?.map((segment) => (typeof segment === "object" ? segment.key : segment)) ?? []),
    message: found.message
  }))

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
}

/** Decodes a bounded copy of what somebody wrote; all that is wrong with it where it can't be. */
export const decoder = <A, I>(schema: Schema.Codec<A, I>, beside: Beside = {}) => {
  const decode = Schema.decodeUnknownResult(schema, strict)
  const { prepare = (copy: unknown) => copy, problems: others = () => [] } = beside
  return (input: unknown): Result.Result<A, ReadonlyArray<Problem>> => {
    try {
      const copy = Bounded.copy(input)
      if (Result.isFailure(copy)) return Result.fail([refusalOf(copy.failure)])
      const decoded = decode(prepare(copy.success))
      const problems = Result.isFailure(decoded) ? problemsOf(decoded.failure.issue) : []
      const all = [...problems, ...others(copy.success)]
      return Result.isSuccess(decoded) && all.length === 0 ? Result.succeed(decoded.success) : Result.fail(all)
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
