import type { Tensor } from '../../src/graph/index.js'
import * as operations from '../../src/graph/operations/index.js'
import { elementwise, type NdArray } from './array.js'
import type { Cases } from './case.js'
import type { Draw } from './draw.js'
import {
  crossEntropy,
  crossEntropyPerPosition,
  layerNorm,
  logSoftmax,
  matmul,
  rmsNorm,
  softmax,
  swapped,
} from './reference.js'

const turned = (x: NdArray, isTurned: boolean) => (isTurned ? swapped(x) : x)
const size = (draw: Draw) => draw.integer(1, 4)

/** The shape of a matrix as it is stored: [m, n], or [n, m] where the product transposes it. */
const stored = (m: number, n: number, isTransposed: boolean) => (isTransposed ? [n, m] : [m, n])

/** The same attribute left out, false or true: the first two must mean the same. */
const flag = (draw: Draw) => draw.pick([undefined, false, true])

const scaled = (scale: number) => elementwise((x) => scale * x)

const products: Cases = (draw) => {
  const [m, n, k] = [size(draw), size(draw), size(draw)]
  const [transposeA, transposeB] = [flag(draw), flag(draw)]
  const scale = draw.pick([undefined, 1, 0.37, -2])
  const stack = draw.shape(0, 2).map((length) => Math.min(length, 3))
  return {
    inputs: [
      draw.floats([...draw.narrower(stack), ...stored(m, k, transposeA ?? false)]),
      draw.floats([...draw.narrower(stack), ...stored(k, n, transposeB ?? false)]),
    ],
    build: (a, b) => operations.matmul(a, b, { transposeA, transposeB, scale }),
    reference: (a, b) => scaled(scale ?? 1)(matmul(turned(a, transposeA ?? false), turned(b, transposeB ?? false))),
  }
}

const affine: Cases = (draw) => {
  const [m, n, k] = [size(draw), size(draw), size(draw)]
  const [transposeA, transposeB] = [flag(draw), flag(draw)]
  const scale = draw.pick([undefined, 1, 0.5, -2])
  const addend = draw.pick([undefined, [], [n], [1, n], [m, 1], [m, n], [1]])
  const [a, b] = [draw.floats(stored(m, k, transposeA ?? false)), draw.floats(stored(k, n, transposeB ?? false))]
  const plus = elementwise((product, c) => product + c)
  return {
    inputs: addend === undefined ? [a, b] : [a, b, draw.floats(addend)],
    build: (a, b, c: Tensor | undefined) => operations.gemm(a, b, c, { transposeA, transposeB, scale }),
    reference: (a, b, c: NdArray | undefined) => {
      const product = scaled(scale ?? 1)(matmul(turned(a, transposeA ?? false), turned(b, transposeB ?? false)))
      return c === undefined ? product : plus(product, c)
    },
  }
}

const linears: Cases = (draw) => {
  const [inner, outer] = [size(draw), size(draw)]
  const transposeB = flag(draw)
  const x = draw.floats([...draw.shape(0, 2), inner])
  const weight = draw.floats(stored(inner, outer, transposeB ?? false))
  const plus = elementwise((product, bias) => product + bias)
  return {
    inputs: draw.boolean() ? [x, weight, draw.floats([outer])] : [x, weight],
    build: (x, weight, bias: Tensor | undefined) => operations.linear(x, weight, bias, { transposeB }),
    reference: (x, weight, bias: NdArray | undefined) => {
      const rows = { shape: x.shape.length === 1 ? [1, inner] : x.shape, data: x.data }
      const { shape, data } = matmul(rows, turned(weight, transposeB ?? false))
      const product = { shape: [...x.shape.slice(0, -1), shape[shape.length - 1]], data }
      return bias === undefined ? product : plus(product, bias)
    },
  }
}

const alongAxis =
  (
    build: (x: Tensor, attributes: { axis: number }) => Tensor,
    reference: (x: NdArray, axis: number) => NdArray,
  ): Cases =>
  (draw) => {
    const shape = draw.shape(1)
    const axis = draw.axis(shape.length)
    return {
      inputs: [draw.floats(shape)],
      build: (x) => build(x, { axis }),
      reference: (x) => reference(x, axis),
    }
  }

const norms: Cases = (draw) => {
  const width = draw.integer(2, 6)
  const epsilon = draw.pick([1e-5, 0.1])
  const x = draw.floats([...draw.shape(0, 2), width], 'distinct')
  const weight = draw.floats([width])
  return {
    inputs: draw.boolean() ? [x, weight, draw.floats([width])] : [x, weight],
    build: (x, weight, bias: Tensor | undefined) => operations.layerNorm(x, weight, bias, { epsilon }),
    reference: (x, weight, bias: NdArray | undefined) => layerNorm(x, weight, bias, epsilon),
    // Over two elements all but ε cancels: what is left of the gradient is the rounding error of its parts.
    tolerance: 2e-4,
  }
}

const rootMeanSquareNorms: Cases = (draw) => {
  const width = draw.integer(1, 6)
  const epsilon = draw.pick([1e-6, 0.1])
  return {
    inputs: [draw.floats([...draw.shape(0, 2), width], 'nonzero'), draw.floats([width])],
    build: (x, weight) => operations.rmsNorm(x, weight, { epsilon }),
    reference: (x, weight) => rmsNorm(x, weight, epsilon),
  }
}

function entropyOptions(draw: Draw) {
  return {
    ignoreIndex: draw.pick([undefined, -100, -1, 0]),
    labelSmoothing: draw.pick([undefined, 0, 0.1, 0.7]),
  }
}

/** Logits, and targets some of which are ignored, but never all: the mean over none is not a number. */
function entropyInputs(draw: Draw, ignoreIndex = -100) {
  const classes = draw.integer(2, 6)
  const shape = draw.shape(0, 2)
  const targets = draw.integers(shape, 0, classes - 1)
  const isIgnored = draw.booleans(shape)
  const data = targets.data.map((target, i) => (isIgnored.data[i] ? ignoreIndex : target))
  data[0] = classes - 1
  return [draw.floats([...shape, classes]), { ...targets, data }]
}

const entropies =
  (
    build: (logits: Tensor, targets: Tensor, options: ReturnType<typeof entropyOptions>) => Tensor,
    reference: (logits: NdArray, targets: NdArray, options: ReturnType<typeof entropyOptions>) => NdArray,
  ): Cases =>
  (draw) => {
    const options = entropyOptions(draw)
    return {
      inputs: entropyInputs(draw, options.ignoreIndex),
      build: (logits, targets) => build(logits, targets, options),
      reference: (logits, targets) => reference(logits, targets, options),
    }
  }

/** Matrix products, normalizations and losses, by their names in `operations`. */
export const matrixCases = {
  matmul: products,
  gemm: affine,
  linear: linears,
  softmax: alongAxis(operations.softmax, softmax),
  logSoftmax: alongAxis(operations.logSoftmax, logSoftmax),
  layerNorm: norms,
  rmsNorm: rootMeanSquareNorms,
  crossEntropy: entropies(operations.crossEntropy, crossEntropy),
  crossEntropyPerPosition: entropies(operations.crossEntropyPerPosition, crossEntropyPerPosition),
}
