import { describe, expect, it } from 'vitest'
import { ShapeError } from '../errors.js'
import { constant, filled, findTensor, input, inScope, Parameter, type Tensor, tensorNames } from '../graph/index.js'
import { dropout, gelu, layerNorm, linear, sign, softmax, where } from '../graph/operations/index.js'
import { evaluate, lowerGraph } from '../runtime/index.js'
import { type Gradient, toDense } from './gradient.js'
import { gradients } from './gradients.js'

const numbers = async (gradient: Gradient): Promise<number[]> =>
  Array.from((await evaluate(toDense(gradient))).data, Number)

describe('gradients of any tensors', () => {
  const x = constant([1, 2, 3], [3])
  const w = constant([4, -5, 6], [3])
  const y = x.mul(w) // [4, −10, 18]
  const loss = y.mul(y).sum()

  it('reach inputs and tensors on the way, whose own inputs are variables too', async () => {
    const [dx, dw, dy] = gradients(loss, [x, w, y])
    expect(await numbers(dy)).toEqual([8, -20, 36]) // 2y
    expect(await numbers(dx)).toEqual([32, 100, 216]) // 2y·w
    expect(await numbers(dw)).toEqual([8, -40, 108]) // 2y·x
  })

  it('come under the keys of a record', async () => {
    const found = gradients(loss, { weight: w, value: x })
    expect(Object.keys(found)).toEqual(['weight', 'value'])
    expect(await numbers(found.weight)).toEqual([8, -40, 108])
    expect(await numbers(found.value)).toEqual([32, 100, 216])
  })

  it('of a tensor by itself are ones, or what flows in', async () => {
    expect(await numbers(gradients(y, [y])[0])).toEqual([1, 1, 1])
    expect(await numbers(gradients(y, [y], { outputGradient: x })[0])).toEqual([1, 2, 3])
    expect(await numbers(gradients(x, [x, w])[1])).toEqual([0, 0, 0])
  })

  it('by a tensor that has no part in it are zeros of its shape', async () => {
    const stranger = new Parameter([2, 2], filled(1))
    const after = y.add(1)
    const [ofStranger, ofLater] = gradients(loss, [stranger, after])
    expect(await numbers(ofStranger)).toEqual([0, 0, 0, 0])
    expect(await numbers(ofLater)).toEqual([0, 0, 0])
  })

  it('add up over all uses of a tensor, also where one operation takes it twice', async () => {
    const cubic = x.mul(x).mul(x).add(x).sub(x.mul(7))
    expect(await numbers(gradients(cubic, [x])[0])).toEqual([3 - 6, 12 - 6, 27 - 6]) // 3x² + 1 − 7
    const square = constant([1, 2, 3, 4], [2, 2])
    const product = square.matmul(square).sum()
    // ∂ Σ(A·A) = rows' sums of Aᵀ everywhere, both ways: dAᵢⱼ = Σₖ Aⱼₖ + Σₖ Aₖᵢ
    expect(await numbers(gradients(product, [square])[0])).toEqual([3 + 4, 7 + 4, 3 + 6, 7 + 6])
  })

  it('start from the given gradient of the output, of whatever shape', async () => {
    const outputGradient = constant([10, 0.5, -1], [3])
    expect(await numbers(gradients(y, [x], { outputGradient })[0])).toEqual([40, -2.5, -6])
    expect(() => gradients(y, [x], { outputGradient: constant([1], []) })).toThrow(
      "gradients: the output gradient is [], 'Mul' [3]",
    )
  })

  it('by attention weights are what the values make of the gradient behind them', async () => {
    const scores = constant([1, 2, 3, 4, 5, 6], [2, 3])
    const values = constant([1, -1, 2, 0, 3, 5], [3, 2])
    const weights = inScope('h.0.attn', () => softmax(scores, { axis: -1 }).named('weights'))
    const output = weights.matmul(values)
    const outputGradient = constant([1, 2, 3, 4], [2, 2])
    const [dWeights] = gradients(output, [findTensor([output], 'attn.weights')], { outputGradient })
    expect(await numbers(dWeights)).toEqual([-1, 2, 13, -1, 6, 29]) // dO·Vᵀ
  })

  it('pass through parts of a split of which some are not used, in any order', async () => {
    const [a, b, c] = constant([1, 2, 3, 4, 5, 6], [6]).split(0, [1, 2, 3])
    const whole = a.application!.inputs[0]!
    expect(await numbers(gradients(b.mul(b).sum(), [whole])[0])).toEqual([0, 4, 6, 0, 0, 0])
    expect(await numbers(gradients(c.sum().add(a.mul(5).sum()), [whole, c])[0])).toEqual([5, 0, 0, 1, 1, 1])
  })

  it('do not pass through conditions and integers', async () => {
    const chosen = where(x.greater(1.5), x.mul(2), x)
    expect(await numbers(gradients(chosen, [x])[0])).toEqual([1, 2, 2])
    const truncated = x.mul(1.5).cast('int64').cast('float32').mul(x)
    expect(await numbers(gradients(truncated, [x])[0])).toEqual([1, 3, 4])
  })
})

describe('what gradients refuse', () => {
  const x = constant([1, 2], [2])

  it('variables and outputs that are not float', () => {
    const ids = input('ids', 'int64', [2])
    expect(() => gradients(x.sum(), [ids])).toThrow(ShapeError)
    expect(() => gradients(x.sum(), { ids })).toThrow("gradients: 'ids' is int64; only float tensors have gradients")
    expect(() => gradients(ids, [x])).toThrow("gradients: 'ids' is int64")
    expect(() => gradients(x.greater(1), [x])).toThrow("gradients: 'Greater' is bool")
  })

  it('a path through an operation that has none, saying where and why', () => {
    const y = inScope('encoder', () => sign(x).named('step')).mul(2)
    expect(() => gradients(y, [x])).toThrow(ShapeError)
    expect(() => gradients(y, [x])).toThrow(
      "gradients: Sign at 'encoder.step' has no gradient: the sign is piecewise constant",
    )
  })

  it('not an operation without a gradient that no variable is behind', async () => {
    const weight = constant([3, 4], [2])
    expect(await numbers(gradients(sign(x).mul(weight), [weight])[0])).toEqual([1, 1])
  })
})

describe('the graph of gradients', () => {
  const names = (roots: Tensor[]) => [...tensorNames(roots).values()]

  it('is named after the tensors that it belongs to, and changes none of their names', () => {
    const x = input('x', 'float32', [2, 3])
    const loss = inScope('h.0', () => gelu(x).named('activation')).sum()
    const before = names([loss])
    const gradient = toDense(gradients(loss, [x])[0])
    expect(names([loss, gradient]).filter((name) => before.includes(name))).toEqual(before)
    const added = names([loss, gradient]).filter((name) => !before.includes(name))
    expect(added.filter((name) => name.startsWith('h.0.activation.gradient.')).length).toBeGreaterThan(5)
  })

  it('is the same for the same model', () => {
    const build = () => {
      const x = input('x', 'float32', ['batch', 4])
      const weight = new Parameter([4, 4], filled(1))
      const loss = layerNorm(linear(x, weight, undefined), constant([1, 1, 1, 1], [4]), undefined, {
        epsilon: 1e-5,
      }).sum()
      return lowerGraph([loss, toDense(gradients(loss, [weight])[0])]).model.nodes
    }
    expect(build()).toEqual(build())
  })

  it('holds only what the variables need', () => {
    const [x, first, last] = [input('x', 'float32', [3, 4]), ...[0, 1].map(() => new Parameter([4, 4], filled(1)))]
    const keep = input('keep', 'bool', [3, 4])
    const y = linear(dropout(linear(x, first, undefined), keep, { probability: 0.5 }), last, undefined)
    const count = (variables: Tensor[]) => {
      const { nodes } = lowerGraph(gradients(y.mul(y).sum(), variables).map(toDense)).model
      return nodes.filter(({ operator }) => operator === 'Gemm').length
    }
    expect(count([last])).toBe(2 + 1) // two products forward, dW of the last
    expect(count([last, first])).toBe(2 + 3) // and dx of the last, dW of the first
    expect(count([last, first, x])).toBe(2 + 4)
  })
})
