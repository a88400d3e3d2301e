import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ShapeError } from '../errors.js'
import {
  add,
  broadcastShapes,
  type Dimension,
  dimensionNames,
  divide,
  evaluateDimension,
  formatShape,
  isStatic,
  multiply,
  normalizeAxis,
  product,
  sameShape,
  terms,
} from './dimension.js'

/** An integer expression of names, built twice: as a dimension, and as a function of the names' values. */
interface Expression {
  readonly dimension: Dimension
  readonly value: (values: ReadonlyMap<string, number>) => number
}

const leaf: fc.Arbitrary<Expression> = fc.oneof(
  fc.integer({ min: -3, max: 5 }).map((n) => ({ dimension: n, value: () => n })),
  fc
    .constantFrom('batch', 'sequence', 'past', 'batch-size')
    .map((name) => ({ dimension: name, value: (values: ReadonlyMap<string, number>) => values.get(name)! })),
)

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.tuple(fc.boolean(), tie('expression'), tie('expression')).map(([isSum, a, b]) =>
      isSum
        ? {
            dimension: add(a.dimension, b.dimension),
            value: (values: ReadonlyMap<string, number>) => a.value(values) + b.value(values),
          }
        : {
            dimension: multiply(a.dimension, b.dimension),
            value: (values: ReadonlyMap<string, number>) => a.value(values) * b.value(values),
          },
    ),
  ),
}))

const values = fc
  .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }), fc.nat(9))
  .map(([batch, sequence, past, other]) => new Map(Object.entries({ batch, sequence, past, 'batch-size': other })))

/** −0 and 0 are one size. */
const unsigned = (dimension: Dimension): Dimension => (dimension === 0 ? 0 : dimension)

const settings = { seed: 4, numRuns: 300 }

describe('the algebra of dimensions', () => {
  it('evaluates to what the same integers give', () => {
    fc.assert(
      fc.property(expression, values, ({ dimension, value }, given) => {
        expect(unsigned(evaluateDimension(dimension, given))).toBe(unsigned(value(given)))
      }),
      settings,
    )
  })

  it('spells a polynomial in one way, whatever the order of its making', () => {
    fc.assert(
      fc.property(expression, expression, expression, (x, y, z) => {
        const [a, b, c] = [x.dimension, y.dimension, z.dimension]
        const same: [Dimension, Dimension][] = [
          [add(a, b), add(b, a)],
          [multiply(a, b), multiply(b, a)],
          [add(add(a, b), c), add(a, add(b, c))],
          [multiply(a, add(b, c)), add(multiply(a, b), multiply(a, c))],
          [add(add(a, b), multiply(b, -1)), add(a, 0)],
        ]
        for (const [left, right] of same) expect(unsigned(left)).toBe(unsigned(right))
      }),
      settings,
    )
  })

  it('divides by a product what was multiplied by it', () => {
    const monomial = fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.array(fc.constantFrom('batch', 'sequence', 'past'), { maxLength: 3 }))
      .map(([coefficient, names]) => names.reduce<Dimension>(multiply, coefficient))
    fc.assert(
      fc.property(expression, monomial, ({ dimension }, divisor) => {
        fc.pre(dimension !== 0)
        expect(divide(multiply(dimension, divisor), divisor)).toBe(add(dimension, 0))
      }),
      settings,
    )
  })

  it('has no quotient where the division leaves a remainder', () => {
    expect(divide('batch', 'sequence')).toBeUndefined()
    expect(divide('batch*sequence + 1', 'batch')).toBeUndefined()
    expect(divide('3*batch', 2)).toBeUndefined()
    expect(divide(7, 2)).toBeUndefined()
    expect(divide(6, 0)).toBeUndefined()
    expect(divide('batch', 'batch + 1')).toBeUndefined()
    expect(divide('batch + 1', 'batch + 1')).toBe(1)
    expect(divide('6*batch*sequence + 4*batch', multiply(2, 'batch'))).toBe('3*sequence + 2')
  })

  it.each([
    [add('past', 1), 'past + 1'],
    [add(1, 'past'), 'past + 1'],
    [add('sequence', 'past'), 'past + sequence'],
    [add('past', 'past'), '2*past'],
    [add('past', -1), 'past + -1'],
    [add('past + 1', -1), 'past'],
    [multiply('sequence', 'batch'), 'batch*sequence'],
    [multiply('batch', 'batch'), 'batch*batch'],
    [multiply('batch', 0), 0],
    [multiply(2, add('batch', 1)), '2*batch + 2'],
    [multiply(add('a', 'b'), add('a', multiply('b', -1))), 'a*a + -1*b*b'],
    [product(['batch', 12, 'sequence', 64]), '768*batch*sequence'],
    [product([2, 3, 4]), 24],
    [product([]), 1],
  ])('%s is spelled %s', (dimension, spelling) => {
    expect(dimension).toBe(spelling)
  })

  it('lists names and terms', () => {
    expect(dimensionNames('2*batch*sequence + past*sequence + 1')).toEqual(['batch', 'sequence', 'past'])
    expect(dimensionNames(7)).toEqual([])
    expect(terms('2*batch*sequence + 1')).toEqual([
      { coefficient: 2, names: ['batch', 'sequence'] },
      { coefficient: 1, names: [] },
    ])
  })

  it('says which name has no value', () => {
    const known = new Map([['batch', 2]])
    expect(() => evaluateDimension('batch*sequence', known)).toThrow(ShapeError)
    expect(() => evaluateDimension('batch*sequence', known)).toThrow(
      "the dimension 'batch*sequence' needs a value for 'sequence'; known are batch",
    )
  })
})

describe('shapes', () => {
  it('prints, compares and recognizes shapes of numbers', () => {
    expect(formatShape(['batch', 12, 'past + 1'])).toBe('[batch, 12, past + 1]')
    expect(formatShape([])).toBe('[]')
    expect(sameShape(['batch', 2], ['batch', 2])).toBe(true)
    expect(sameShape(['batch', 2], ['batch'])).toBe(false)
    expect(sameShape([1, 2], [1, 3])).toBe(false)
    expect(isStatic([1, 2])).toBe(true)
    expect(isStatic([1, 'batch'])).toBe(false)
  })

  it.each([
    [[2, 3], [3], [2, 3]],
    [[], [2, 3], [2, 3]],
    [
      [2, 1],
      [1, 3],
      [2, 3],
    ],
    [
      ['batch', 1, 4],
      ['sequence', 1],
      ['batch', 'sequence', 4],
    ],
    [[1], ['batch'], ['batch']],
    [[0], [1], [0]],
  ])('broadcasts %j and %j to %j', (a, b, expected) => {
    expect(broadcastShapes(a, b, 'test')).toEqual(expected)
    expect(broadcastShapes(b, a, 'test')).toEqual(expected)
  })

  it('refuses sizes that nothing says are equal, naming the axis from the end', () => {
    expect(() => broadcastShapes(['batch', 3], [12, 3], 'Add')).toThrow(
      'Add: shapes [batch, 3] and [12, 3] do not broadcast: batch against 12 at axis -2',
    )
    expect(() => broadcastShapes([2], [3], 'Add')).toThrow(ShapeError)
  })

  it('counts axes from either end', () => {
    expect([-3, -1, 0, 2].map((axis) => normalizeAxis(axis, 3, 'test'))).toEqual([0, 2, 0, 2])
    for (const axis of [-4, 3, 0.5, Number.NaN]) {
      expect(() => normalizeAxis(axis, 3, 'Split')).toThrow(`Split: axis ${axis} is outside [-3, 3)`)
    }
    expect(() => normalizeAxis(0, 0, 'Split')).toThrow(ShapeError)
  })
})
