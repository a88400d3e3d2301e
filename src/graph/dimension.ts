import { ShapeError } from '../errors.js'

/**
 * The size of one axis: a number, a name such as `'batch'`, or a sum of products of names such as
 * `'batch*sequence + 1'` in the canonical spelling that {@link add} and {@link multiply} produce.
 */
export type Dimension = number | string

/** The sizes of all axes, outermost first. */
export type Shape = readonly Dimension[]

/** A polynomial with integer coefficients: `'batch*sequence'` → coefficient; the constant term's key is `''`. */
type Polynomial = Map<string, number>

/** a + b; numbers stay numbers, e.g. `add('past', 1)` is `'past + 1'`. */
export function add(a: Dimension, b: Dimension): Dimension {
  if (typeof a === 'number' && typeof b === 'number') return a + b
  const sum = parse(a)
  for (const [monomial, coefficient] of parse(b)) sum.set(monomial, (sum.get(monomial) ?? 0) + coefficient)
  return format(sum)
}

/** a · b; numbers stay numbers, e.g. `multiply('sequence', 'batch')` is `'batch*sequence'`. */
export function multiply(a: Dimension, b: Dimension): Dimension {
  if (typeof a === 'number' && typeof b === 'number') return a * b
  const product: Polynomial = new Map()
  for (const [m, c] of parse(a)) {
    for (const [n, d] of parse(b)) {
      const names = [...factors(m), ...factors(n)].sort().join('*')
      product.set(names, (product.get(names) ?? 0) + c * d)
    }
  }
  return format(product)
}

/** The product of all sizes: the number of elements of a tensor of this shape. */
export function product(shape: Shape): Dimension {
  return shape.reduce(multiply, 1)
}

/**
 * a / b where b is one product (no sum) that divides a without remainder.
 *
 * @returns the quotient, or undefined where b does not divide a
 */
export function divide(a: Dimension, b: Dimension): Dimension | undefined {
  if (a === b) return 1
  const divisor = [...parse(b)]
  if (divisor.length !== 1) return undefined
  const [names, coefficient] = divisor[0]
  const quotient: Polynomial = new Map()
  for (const [monomial, c] of parse(a)) {
    const rest = factors(monomial)
    for (const name of factors(names)) {
      const at = rest.indexOf(name)
      if (at < 0) return undefined
      rest.splice(at, 1)
    }
    if (c % coefficient !== 0) return undefined
    quotient.set(rest.join('*'), c / coefficient)
  }
  return format(quotient)
}

/** The names that a dimension depends on, e.g. `['batch', 'sequence']` for `'batch*sequence + 1'`. */
export function dimensionNames(dimension: Dimension): string[] {
  return [...new Set([...parse(dimension).keys()].flatMap(factors))]
}

/** The terms of a dimension: `'2*batch*sequence + 1'` is `[{coefficient: 2, names: ['batch', 'sequence']}, {1, []}]`. */
export function terms(dimension: Dimension): { coefficient: number; names: string[] }[] {
  return [...parse(dimension)].map(([monomial, coefficient]) => ({ coefficient, names: factors(monomial) }))
}

/**
 * The number that a dimension is under given values of its names.
 *
 * @throws ShapeError where a name has no value
 */
export function evaluateDimension(dimension: Dimension, values: ReadonlyMap<string, number>): number {
  if (typeof dimension === 'number') return dimension
  let sum = 0
  for (const { coefficient, names } of terms(dimension)) {
    sum += names.reduce((value, name) => value * lookUp(values, name, dimension), coefficient)
  }
  return sum
}

/** A shape as people write it: `[batch, 12, 64]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`
}

/** Whether two shapes are equal, axis by axis. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, i) => dimension === b[i])
}

/** Whether every dimension is a number. */
export function isStatic(shape: Shape): shape is readonly number[] {
  return shape.every((dimension) => typeof dimension === 'number')
}

/**
 * The common shape of two tensors under NumPy's broadcasting rules.
 *
 * A name is compatible with itself and with 1 only: `'batch'` against 12 is an error, since nothing says they agree.
 *
 * @throws ShapeError naming `where`, both shapes and the axis that does not fit
 */
export function broadcastShapes(a: Shape, b: Shape, where: string): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const m = a[i - rank + a.length] ?? 1
    const n = b[i - rank + b.length] ?? 1
    if (m === n || n === 1) return m
    if (m === 1) return n
    throw new ShapeError(
      `${where}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast: ${m} against ${n} at axis ${i - rank}`,
    )
  })
}

/**
 * An axis counted from the front, given one that may count from the back.
 *
 * @throws ShapeError where the axis is outside [-rank, rank)
 */
export function normalizeAxis(axis: number, rank: number, where: string): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis
  throw new ShapeError(`${where}: axis ${axis} is outside [${-rank}, ${rank}) of a tensor of rank ${rank}`)
}

function lookUp(values: ReadonlyMap<string, number>, name: string, dimension: string): number {
  const value = values.get(name)
  if (value !== undefined) return value
  throw new ShapeError(`the dimension '${dimension}' needs a value for '${name}'; known are ${[...values.keys()]}`)
}

function factors(monomial: string): string[] {
  return monomial === '' ? [] : monomial.split('*')
}

function parse(dimension: Dimension): Polynomial {
  const polynomial: Polynomial = new Map()
  if (typeof dimension === 'number') return polynomial.set('', dimension)
  for (const term of dimension.split(' + ')) {
    const parts = term.split('*')
    const coefficient = /^-?\d+$/.test(parts[0]) ? Number(parts.shift()) : 1
    polynomial.set(parts.join('*'), coefficient)
  }
  return polynomial
}

function format(polynomial: Polynomial): Dimension {
  const parts = [...polynomial].filter(([, coefficient]) => coefficient !== 0)
  if (parts.length === 0) return 0
  if (parts.length === 1 && parts[0][0] === '') return parts[0][1]
  // The constant term ('') sorts last, names in alphabetical order: one spelling for one polynomial.
  parts.sort(([m], [n]) => (m === '' ? 1 : n === '' ? -1 : m < n ? -1 : 1))
  return parts.map(([m, c]) => (m === '' ? `${c}` : c === 1 ? m : `${c}*${m}`)).join(' + ')
}
