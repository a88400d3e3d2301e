import type { Tensor } from '../../src/graph/index.js'
import * as operations from '../../src/graph/operations/index.js'
import { elementwise, type NdArray, type Sample } from './array.js'
import type { Cases } from './case.js'
import type { Draw, Kind } from './draw.js'
import { erf, sumTo } from './reference.js'

const unary =
  (build: (x: Tensor) => Tensor, f: (x: number) => number, kind?: Kind): Cases =>
  (draw) => ({ inputs: [draw.floats(draw.shape(), kind)], build, reference: elementwise(f) })

/** Two arrays that broadcast, each drawn by `sample`. */
function operands(draw: Draw, sample: (shape: number[]) => Sample): Sample[] {
  const shape = draw.shape()
  return [sample(draw.narrower(shape)), sample(draw.narrower(shape))]
}

const binary =
  (build: (a: Tensor, b: Tensor) => Tensor, f: (a: number, b: number) => number, kind?: Kind): Cases =>
  (draw) => ({
    inputs: operands(draw, (shape) => draw.floats(shape, kind)),
    build,
    reference: elementwise(f),
  })

/** Compares small integers, so that equal ones occur, as float32 or int64. */
const comparison =
  (build: (a: Tensor, b: Tensor) => Tensor, f: (a: number, b: number) => boolean): Cases =>
  (draw) => {
    const dtype = draw.pick(['float32', 'int64'] as const)
    const inputs = operands(draw, (shape) => ({ ...draw.integers(shape, -2, 2), dtype }))
    return { inputs, build, reference: elementwise((a, b) => Number(f(a, b))) }
  }

const logic =
  (build: (...inputs: Tensor[]) => Tensor, f: (...values: number[]) => boolean, operandCount: number): Cases =>
  (draw) => {
    const shape = draw.shape()
    const inputs = Array.from({ length: operandCount }, () => draw.booleans(draw.narrower(shape)))
    return { inputs, build, reference: elementwise((...values) => Number(f(...values))) }
  }

const logistic = (x: number) => 1 / (1 + Math.exp(-x))
const phi = (x: number) => (1 + erf(x / Math.sqrt(2))) / 2

/** x as another dtype: floats lose digits or keep them, integers are cut, truth is what is not 0. */
const casts: Cases = (draw) => {
  const [from, to] = draw.pick([
    ['float32', 'float64'],
    ['float32', 'int64'],
    ['float32', 'int32'],
    ['float32', 'bool'],
    ['int64', 'float32'],
    ['bool', 'float32'],
  ] as const)
  const shape = draw.shape()
  const sample = from === 'float32' ? draw.floats(shape) : draw.integers(shape, 0, 1)
  const converted = (x: number) => (to === 'bool' ? Number(x !== 0) : to.startsWith('int') ? Math.trunc(x) : x)
  return {
    inputs: [{ ...sample, dtype: from }],
    build: (x) => operations.cast(x, { dtype: to }),
    reference: elementwise(converted),
  }
}

const powers: Cases = (draw) => {
  const exponent = draw.pick([-1.5, -1, 0, 0.5, 1, 2, 3])
  const kind = Number.isInteger(exponent) ? 'nonzero' : 'positive'
  return unary(
    (x) => operations.pow(x, { exponent }),
    (x) => x ** exponent,
    kind,
  )(draw)
}

/** Bounds lie between the multiples of 1/8 that 'distinct' values are, where the derivative jumps. */
const clips: Cases = (draw) => {
  const minimum = -draw.integer(0, 8) / 8 - 1 / 16
  const maximum = draw.integer(0, 8) / 8 + 1 / 16
  const f = (x: number) => Math.max(minimum, Math.min(maximum, x))
  return unary((x) => operations.clip(x, { minimum, maximum }), f, 'distinct')(draw)
}

const choices: Cases = (draw) => {
  const shape = draw.shape()
  const [a, b] = [draw.floats(draw.narrower(shape)), draw.floats(draw.narrower(shape))]
  return {
    inputs: [draw.booleans(draw.narrower(shape)), a, b],
    build: operations.where,
    reference: elementwise((condition, a, b) => (condition ? a : b)),
  }
}

const sums: Cases = (draw) => {
  const x = draw.floats(draw.shape())
  const shape = draw.narrower(x.shape)
  return {
    inputs: [x],
    build: (tensor) => operations.sumTo(tensor, shape),
    reference: (array: NdArray) => sumTo(array, shape),
  }
}

const dropouts: Cases = (draw) => {
  const shape = draw.shape()
  const probability = draw.integer(0, 9) / 10
  return {
    inputs: [draw.floats(shape), draw.booleans(shape)],
    build: (x, keep) => operations.dropout(x, keep, { probability }),
    reference: elementwise((x, keep) => (keep ? x / (1 - probability) : 0)),
  }
}

/** Operations that act on each element by itself, by their names in `operations`. */
export const elementwiseCases = {
  relu: unary(operations.relu, (x) => Math.max(x, 0), 'nonzero'),
  tanh: unary(operations.tanh, Math.tanh),
  sigmoid: unary(operations.sigmoid, logistic),
  gelu: unary(operations.gelu, (x) => x * phi(x)),
  geluTanh: unary(
    operations.geluTanh,
    (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  ),
  silu: unary(operations.silu, (x) => x * logistic(x)),
  neg: unary(operations.neg, (x) => -x),
  exp: unary(operations.exp, Math.exp),
  log: unary(operations.log, Math.log, 'positive'),
  sqrt: unary(operations.sqrt, Math.sqrt, 'positive'),
  reciprocal: unary(operations.reciprocal, (x) => 1 / x, 'nonzero'),
  abs: unary(operations.abs, Math.abs, 'nonzero'),
  sin: unary(operations.sin, Math.sin),
  cos: unary(operations.cos, Math.cos),
  erf: unary(operations.erf, erf),
  pow: powers,
  cast: casts,
  clip: clips,
  add: binary(operations.add, (a, b) => a + b),
  sub: binary(operations.sub, (a, b) => a - b),
  mul: binary(operations.mul, (a, b) => a * b),
  div: binary(operations.div, (a, b) => a / b, 'nonzero'),
  equal: comparison(operations.equal, (a, b) => a === b),
  greater: comparison(operations.greater, (a, b) => a > b),
  less: comparison(operations.less, (a, b) => a < b),
  lessOrEqual: comparison(operations.lessOrEqual, (a, b) => a <= b),
  and: logic(operations.and, (a, b) => a === 1 && b === 1, 2),
  or: logic(operations.or, (a, b) => a === 1 || b === 1, 2),
  not: logic(operations.not, (a) => a === 0, 1),
  where: choices,
  sumTo: sums,
  dropout: dropouts,
}
