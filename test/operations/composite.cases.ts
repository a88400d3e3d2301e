import type { Tensor } from '../../src/graph/index.js'
import * as operations from '../../src/graph/operations/index.js'
import { elementwise, type NdArray } from './array.js'
import type { Cases } from './case.js'
import { crossEntropy, erf, gather, layerNorm, matmul, softmax, swapped } from './reference.js'

const plus = elementwise((a, b) => a + b)

/**
 * Attention, whose softmax takes a shortcut in its gradient; now and then with dropout between weights and values, with
 * the weights used a second time, or with one set of weights for several stacks of values, where it must not.
 */
const attentions: Cases = (draw) => {
  const [queries, keys, width, depth] = [draw.integer(1, 4), draw.integer(1, 4), draw.integer(1, 3), draw.integer(1, 3)]
  const [dropped, shown] = [draw.boolean(), draw.boolean()]
  const stack = draw.pick([[], [2]])
  const keepOrNot = elementwise((weight, keep) => (dropped ? (keep ? weight / 0.75 : 0) : weight))
  return {
    inputs: [
      draw.floats([queries, width]),
      draw.floats([keys, width]),
      draw.floats([...stack, keys, depth]),
      draw.booleans([queries, keys]),
    ],
    build: (q, k, v, keep) => {
      const weights = operations.softmax(q.matmul(k, { transposeB: true, scale: 0.5 }), { axis: -1 })
      const kept = dropped ? operations.dropout(weights, keep, { probability: 0.25 }) : weights
      const mixed = kept.matmul(v)
      return shown ? [mixed, weights] : mixed
    },
    reference: (q, k, v, keep) => {
      const weights = softmax(elementwise((score) => score / 2)(matmul(q, swapped(k))), -1)
      const mixed = matmul(keepOrNot(weights, keep), v)
      return shown ? [mixed, weights] : mixed
    },
  }
}

/** A table that is looked up and, whole, multiplied with: its gradient is dense and sparse. */
const tiedHeads: Cases = (draw) => {
  const [tokens, width, length] = [draw.integer(2, 6), draw.integer(1, 4), draw.integer(1, 4)]
  const ids = draw.integers([length], 0, tokens - 1)
  const targets = draw.integers([length], 0, tokens - 1)
  return {
    inputs: [draw.floats([tokens, width]), ids, targets],
    build: (table, ids, targets) => {
      const x = operations.gather(table, ids)
      return operations.crossEntropy(operations.linear(x, table, undefined, { transposeB: true }), targets)
    },
    reference: (table, ids, targets) => crossEntropy(matmul(gather(table, ids), swapped(table)), targets, {}),
  }
}

/** x + gelu(norm(x)·W + b): a tensor used twice, an addition and a chain of rules. */
const residualBlocks: Cases = (draw) => {
  const [rows, width] = [draw.integer(1, 3), draw.integer(3, 5)]
  const gelu = elementwise((x) => (x / 2) * (1 + erf(x / Math.sqrt(2))))
  return {
    inputs: [
      draw.floats([rows, width], 'distinct'),
      draw.floats([width]),
      draw.floats([width, width]),
      draw.floats([width]),
    ],
    build: (x, scale, weight, bias) => {
      const normalized = operations.layerNorm(x, scale, undefined, { epsilon: 0.1 })
      return x.add(operations.gelu(operations.linear(normalized, weight, bias)))
    },
    reference: (x, scale, weight, bias) => {
      const normalized = layerNorm(x, scale, undefined, 0.1)
      return plus(x, gelu(plus(matmul(normalized, weight), bias)))
    },
  }
}

/** A tensor that many others are made of, through operations with several outputs. */
const reuses: Cases = (draw) => {
  const x = draw.floats([2, 4])
  return {
    inputs: [x],
    build: (x: Tensor) => {
      const [a, b] = x.split(1, [2, 2])
      return operations.concat(b.mul(a), b, x.mul(x), { axis: 1 }).add(a.sum())
    },
    reference: (x: NdArray) => {
      const [[a, b], [c, d]] = [x.data.slice(0, 4), x.data.slice(4)].map((row) => [row.slice(0, 2), row.slice(2)])
      const total = a[0] + a[1] + c[0] + c[1]
      const row = (left: Float64Array, right: Float64Array) => [
        left[0] * right[0],
        left[1] * right[1],
        ...right,
        ...[...left, ...right].map((value) => value ** 2),
      ]
      return { shape: [2, 8], data: Float64Array.from([...row(a, b), ...row(c, d)], (value) => value + total) }
    },
  }
}

/** Several operations together, where their gradients meet. */
export const compositeCases: Readonly<Record<string, Cases>> = {
  'attention, with and without dropout, weights used once or twice': attentions,
  'a tied embedding': tiedHeads,
  'a residual block': residualBlocks,
  'a tensor used many times': reuses,
}
