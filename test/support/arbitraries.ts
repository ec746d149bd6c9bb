/** Small building blocks for property tests, on top of Effect's own `Arbitrary`. */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

export const int = (minimum: number, maximum: number): Arbitrary.Arbitrary<number> =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

export const bool: Arbitrary.Arbitrary<boolean> = Arbitrary.schema(Schema.Boolean)

/** One of these values; the first ones are the simpler ones. */
export const oneOf = <const A>(...values: readonly [A, ...ReadonlyArray<A>]): Arbitrary.Arbitrary<A> =>
  Arbitrary.map(int(0, values.length - 1), (index) => values[index] ?? values[0])

/** A value of one of these. */
export const either = <A>(
  ...arbitraries: readonly [Arbitrary.Arbitrary<A>, ...ReadonlyArray<Arbitrary.Arbitrary<A>>]
): Arbitrary.Arbitrary<A> =>
  Arbitrary.flatMap(int(0, arbitraries.length - 1), (index) => arbitraries[index] ?? arbitraries[0])

/** Some of these values in their order: mostly all or most of them, so that what needs all of them happens too. */
export const someOf = <A>(values: ReadonlyArray<A>): Arbitrary.Arbitrary<ReadonlyArray<A>> =>
  either<ReadonlyArray<A>>(
    Arbitrary.Constant(values),
    Arbitrary.map(int(0, Math.max(0, values.length - 1)), (without) => values.filter((_, index) => index !== without)),
    Arbitrary.map(Arbitrary.array(bool, { minLength: values.length, maxLength: values.length }), (kept) =>
      values.filter((_, index) => kept[index])
    )
  )

/** So many of these. Every length is as likely as another: `Arbitrary.array` alone makes them of two or three items. */
export const list = <A>(
  item: Arbitrary.Arbitrary<A>,
  minLength: number,
  maxLength: number
): Arbitrary.Arbitrary<ReadonlyArray<A>> =>
  Arbitrary.flatMap(int(minLength, maxLength), (length) =>
    Arbitrary.array(item, { minLength: length, maxLength: length })
  )

/** `undefined` now and then. */
export const maybe = <A>(item: Arbitrary.Arbitrary<A>): Arbitrary.Arbitrary<A | undefined> =>
  either<A | undefined>(item, Arbitrary.Constant(undefined))
