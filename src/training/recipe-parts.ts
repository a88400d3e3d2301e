import { z } from 'zod'

// Every message of a schema is the end of a sentence: "PATH: expected <message>, got VALUE". The message of a section
// lists its keys, which an unknown key is compared with.

/** A whole number. */
export const integer = (minimum: number) => {
  const expected = `a whole number of ${minimum} or more`
  return z.int(expected).min(minimum, expected)
}

/** A number above 0. */
export const positive = () => z.number('a number above 0').positive('a number above 0')

/** A number of 0 or more. */
export const notNegative = () => z.number('a number of 0 or more').nonnegative('a number of 0 or more')

/** A number in [0, 1). */
export const fraction = () => {
  const expected = 'a number of 0 or more and below 1'
  return z.number(expected).min(0, expected).lt(1, expected)
}

/** A number in (0, 1). */
export const share = () => {
  const expected = 'a number above 0 and below 1'
  return z.number(expected).gt(0, expected).lt(1, expected)
}

/** True or false. */
export const flag = () => z.boolean('true or false')

/** A text that is not empty. */
export const text = (what: string) => z.string(what).min(1, what)

/** One of some names. */
export const oneOf = <const Names extends readonly [string, ...string[]]>(names: Names) => z.enum(names, list(names))

/** Keys with values, and no others. */
export const section = <Shape extends z.ZodRawShape>(shape: Shape) => z.strictObject(shape, list(Object.keys(shape)))

/** Names as the messages of schemas have them. */
export function list(names: readonly string[]): string {
  return names.join(', ')
}

/** Whether a value is a section: keys with values. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
