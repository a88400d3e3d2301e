import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../../autodiff/index.js'
import { compile, float32 } from '../../runtime/index.js'
import { constant, inputsOf, reachable, type Tensor } from '../index.js'
import { dropout, softmax } from './index.js'

/** T queries and S keys; the values' width D differs from S, so that sums over one or the other tell apart. */
const [T, S, D] = [3, 5, 2]

/** Numbers without a pattern, of both signs. */
const values = (n: number, seed: number) => Array.from({ length: n }, (_, i) => Math.sin(seed + 1.7 * i + 0.3 * i * i))

const keep = constant(
  values(T * S, 3).map((value) => (value > -0.5 ? 1 : 0)),
  [T, S],
  'bool',
)
const v = constant(values(S * D, 1), [S, D])
const stacks = constant(values(4 * S * D, 1), [4, S, D])
const keepSome = (weights: Tensor) => dropout(weights, keep, { probability: 0.25 })

/** What is made of attention weights P [T, S], and over which width the row sums of its gradient are taken. */
const uses: Readonly<Record<string, readonly [use: (weights: Tensor) => Tensor, width: number]>> = {
  'a product': [(p) => p.matmul(v), D],
  'a scaled product': [(p) => p.matmul(v, { scale: 0.3 }), D],
  'a product with a transposed operand': [(p) => p.matmul(v.transpose(), { transposeB: true }), D],
  'dropout, then a product': [(p) => keepSome(p).matmul(v), D],
  'two dropouts, then a product': [(p) => keepSome(keepSome(p)).matmul(v), D],
  'a product of a stack': [(p) => p.reshape([1, T, S]).matmul(constant(values(S * D, 1), [1, S, D])), D],
  'a product of other rows': [(p) => p.reshape([S, T]).matmul(constant(values(T * D, 1), [T, D])), S],
  'two products': [(p) => p.matmul(v).matmul(v.transpose()).add(p), S],
  'a product, and a sum of its own': [
    (p) =>
      p
        .matmul(v)
        .sum([1])
        .add(p.mul(p).sum([1])),
    S,
  ],
  'dropout, of which two things are made': [(p) => keepSome(p).matmul(v).sum().add(keepSome(p).sum()), S],
  'one product with several stacks of values': [(p) => p.matmul(stacks), S],
  'a product of the transposed weights': [(p) => p.matmul(constant(values(T * D, 4), [T, D]), { transposeA: true }), S],
  'a product, after an addition that hands its gradient on': [(p) => p.add(keep.cast('float32')).matmul(v), S],
  'no product': [(p) => p.mul(p), S],
}
/** Over which widths the graph of a gradient takes row sums that it keeps as an axis, as softmax's rule does. */
function rowSumWidths(gradient: Tensor): unknown[] {
  const rowSum = JSON.stringify({ axes: [-1], keepDimensions: true })
  return reachable([gradient]).flatMap((tensor) => {
    const { operation, attributes } = tensor.application ?? {}
    const isRowSum = operation?.name === 'ReduceSum' && JSON.stringify(attributes) === rowSum
    return isRowSum ? [inputsOf(tensor)[0].shape.at(-1)] : []
  })
}

describe("the row sums in softmax's gradient", () => {
  const scores = constant(values(T * S, 2), [T, S])

  it.each(Object.entries(uses))('of weights used in %s', async (_name, [use, width]) => {
    const weights = softmax(scores, { axis: -1 })
    const output = use(weights)
    const count = output.shape.reduce<number>((a, b) => a * Number(b), 1)
    const outputGradient = constant(values(count, 9), output.shape.map(Number))
    const found = gradients(output, { scores, weights }, { outputGradient })
    const [dScores, dWeights] = [toDense(found.scores), toDense(found.weights)]
    expect(rowSumWidths(dScores)).toEqual([width])
    const program = await compile({ outputs: { weights, dWeights, dScores } })
    const result = await program.run()
    const [p, dp] = [float32(result.weights), float32(result.dWeights)]
    for (const [i, actual] of float32(result.dScores).entries()) {
      const row = i - (i % S)
      let sum = 0
      for (let s = 0; s < S; s++) sum += p[row + s] * dp[row + s]
      expect(actual).toBeCloseTo((dp[i] - sum) * p[i], 5)
    }
  })
})
