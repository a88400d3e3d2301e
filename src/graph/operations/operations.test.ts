import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../../autodiff/index.js'
import { ShapeError } from '../../errors.js'
import { compile, evaluate, float32 } from '../../runtime/index.js'
import { constant, input, type Shape, type Tensor } from '../index.js'
import * as operations from './index.js'

const floats = (...shape: Shape) => input('x', 'float32', shape)
const ids = (...shape: Shape) => input('ids', 'int64', shape)
const truth = (...shape: Shape) => input('keep', 'bool', shape)

/** What an operation refuses, and what its message says. Values and gradients are proved in test/operations. */
const refusals: Readonly<Record<string, readonly [build: () => unknown, message: string]>> = {
  'add of two dtypes': [
    () => floats(2).add(ids(2)),
    'Add: expected two tensors of one dtype, got float32[2], int64[2]',
  ],
  'comparison of two dtypes': [() => floats(2).equal(ids(2)), 'Equal: expected two tensors of one dtype'],
  'where without a truth value': [
    () => operations.where(floats(2), floats(2), floats(2)),
    'Where: expected bool and two of one dtype, got float32[2], float32[2], float32[2]',
  ],
  'reshape to another count': [
    () => floats(2, 3).reshape([4]),
    'Reshape: [2, 3] does not have as many elements as [4]',
  ],
  'reshape with nothing to infer': [() => floats(2, 3).reshape([4, -1]), 'Reshape: [2, 3]'],
  'reshape with two sizes to infer': [() => floats(4, 4).reshape([-1, -1]), 'Reshape: [4, 4]'],
  'reshape of a name to another': [() => floats('batch', 3).reshape(['sequence', 3]), 'Reshape: [batch, 3]'],
  'transpose with an axis twice': [
    () => floats(2, 3).transpose([0, 0]),
    'Transpose: expected a permutation of 2 axes, not [0,0], got float32[2, 3]',
  ],
  'transpose with an axis too many': [() => floats(2, 3).transpose([1, 0, 2]), 'Transpose: expected a permutation'],
  'transpose with an axis that is not there': [
    () => floats(2, 3).transpose([0, 5]),
    'Transpose: expected a permutation',
  ],
  'expand against broadcasting': [
    () => floats(2, 3).expand([2, 4]),
    'Expand: shapes [2, 3] and [2, 4] do not broadcast',
  ],
  'concat of other sizes': [
    () => operations.concat(floats(2, 3), floats(3, 3), { axis: 1 }),
    'Concat: expected one dtype and equal sizes but on axis 1, got float32[2, 3], float32[3, 3]',
  ],
  'concat of ranks': [() => operations.concat(floats(2, 3), floats(2), { axis: 0 }), 'Concat: expected one dtype'],
  'concat of dtypes': [() => operations.concat(floats(2), ids(2), { axis: 0 }), 'Concat: expected one dtype'],
  'split into other sizes': [
    () => floats(5, 2).split(0, [2, 2]),
    'Split: expected sizes [2, 2] to add up to axis 0, got float32[5, 2]',
  ],
  'slice beyond the end': [
    () => floats(5).slice(0, 2, 6),
    'Slice: expected bounds 2 and 6 within axis 0, got float32[5]',
  ],
  'slice from before the start': [() => floats(5).slice(0, -6, 3), 'Slice: expected bounds -6 and 3 within axis 0'],
  'slice backwards': [() => floats(5).slice(0, 3, 2), 'Slice: expected bounds 3 and 2 within axis 0'],
  'slice backwards of a name': [() => floats('batch').slice(0, 3, 2), 'Slice: expected bounds 3 and 2 within axis 0'],
  'an axis that is not there': [() => floats(2, 3).sum([2]), 'axis 2 is outside [-2, 2)'],
  'matmul of inner sizes': [
    () => floats(2, 3).matmul(floats(4, 5)),
    'MatMul: expected equal inner sizes, not 3 and 4, got float32[2, 3], float32[4, 5]',
  ],
  'matmul, transposed': [
    () => floats(2, 3).matmul(floats(3, 5), { transposeB: true }),
    'MatMul: expected equal inner sizes',
  ],
  'matmul of a vector': [() => floats(3).matmul(floats(3, 5)), 'MatMul: expected two matrices or stacks of them'],
  'matmul of stacks that differ': [() => floats(2, 4, 3).matmul(floats(3, 3, 5)), 'MatMul: shapes [2] and [3]'],
  'gemm of a stack': [
    () => operations.gemm(floats(2, 3, 4), floats(4, 5), undefined, {}),
    'Gemm: expected two matrices, got float32[2, 3, 4], float32[4, 5], none',
  ],
  'gemm of inner sizes': [
    () => operations.gemm(floats(2, 3), floats(4, 5), undefined, {}),
    'Gemm: expected equal inner',
  ],
  'gemm with an addend larger than the product': [
    () => operations.gemm(floats(1, 2), floats(2, 3), floats(4, 3), {}),
    'Gemm: expected an addend that broadcasts to [1, 3]',
  ],
  'layer norm of another width': [
    () => operations.layerNorm(floats(2, 3), floats(4), undefined, { epsilon: 1e-5 }),
    'LayerNormalization: expected weight and bias of size 3, got float32[2, 3], float32[4], none',
  ],
  'root mean square norm of another width': [
    () => operations.rmsNorm(floats(2, 3), floats(4), { epsilon: 1e-6 }),
    'SimplifiedLayerNormalization: expected a weight of size 3, got float32[2, 3], float32[4]',
  ],
  'cross-entropy with targets of another shape': [
    () => operations.crossEntropy(floats(2, 3), ids(3)),
    'SoftmaxCrossEntropyLoss: expected logits [..., V] and int64 targets [...], got float32[2, 3], int64[3]',
  ],
  'cross-entropy with float targets': [() => operations.crossEntropy(floats(2, 3), floats(2)), 'expected logits'],
  'gather by floats': [() => operations.gather(floats(2, 3), floats(2)), 'Gather: expected a table and int64 indices'],
  'gatherElements with other sizes': [
    () => operations.gatherElements(floats(2, 3), ids(3, 3), { axis: 1 }),
    "GatherElements: expected int64 indices with x's sizes but on axis 1",
  ],
  'scatterElements with other updates': [
    () => operations.scatterElements(floats(2, 3), ids(2, 1), floats(2, 2), { axis: 1, reduction: 'add' }),
    'ScatterElements: expected an update per index',
  ],
  'topK of more than there are': [
    () => operations.topK(floats(2, 3), { axis: 1, count: 4 }),
    'TopK: expected 4 or more elements along axis 1, got float32[2, 3]',
  ],
  'one-hot of floats': [() => operations.oneHot(floats(2), { depth: 3 }), 'OneHot: expected int64 of rank 1 or more'],
  'dropout with another mask': [
    () => operations.dropout(floats(2, 3), truth(3), { probability: 0.5 }),
    'Dropout: expected a bool per element, got float32[2, 3], bool[3]',
  ],
}

describe('shape rules', () => {
  it.each(Object.entries(refusals))('refuse %s', (_name, [build, message]) => {
    expect(build).toThrow(ShapeError)
    expect(build).toThrow(message)
  })
})

/** The gradient of Σ y² by x. */
async function gradientOfSquares(x: Tensor, y: Tensor): Promise<number[]> {
  return Array.from(float32(await evaluate(toDense(gradients(y.mul(y).sum(), [x])[0]))))
}

describe('corner cases', () => {
  it('equal maxima share the gradient', async () => {
    const x = constant([3, 3, 1, 5, 5, 5], [2, 3])
    const gradient = await gradientOfSquares(x, operations.reduceMax(x, { axes: [1] }))
    const expected = [3, 3, 0, 10 / 3, 10 / 3, 10 / 3]
    for (const [i, value] of expected.entries()) expect(gradient[i]).toBeCloseTo(value, 5)
  })

  it('derivatives where the function has a kink are those of the docstrings', async () => {
    const x = constant([-1, 0, 2], [3])
    const derivative = async (y: Tensor) => Array.from(float32(await evaluate(toDense(gradients(y.sum(), [x])[0]))))
    expect(await derivative(operations.relu(x))).toEqual([0, 0, 1])
    expect(await derivative(operations.abs(x))).toEqual([-1, 0, 1])
    expect(await derivative(operations.clip(x, { minimum: 0, maximum: 1 }))).toEqual([0, 1, 0])
    expect(await derivative(x.pow(0))).toEqual([0, 0, 0])
    expect(await derivative(x.pow(1))).toEqual([1, 1, 1])
    expect(await derivative(x.pow(2))).toEqual([-2, 0, 4])
  })

  it('sizes of 0 are sizes, written or found at run time', async () => {
    const none = constant([], [0, 3])
    expect((await evaluate(none.reshape([3, 0]))).shape).toEqual([3, 0])
    expect((await evaluate(none.reshape([-1, 3]))).shape).toEqual([0, 3])
    expect(float32(await evaluate(none.sum()))).toEqual(Float32Array.of(0))
    const swapped = input('x', 'float32', ['a', 'b', 2]).reshape(['b', 'a', 2])
    const { shape } = await evaluate(swapped, { x: { data: new Float32Array(0), shape: [3, 0, 2] } })
    expect(shape).toEqual([0, 3, 2])
  })

  it('a softmax of very large and very small numbers is finite', async () => {
    const x = constant([1e4, -1e4, 1e4, 3e38, -3e38, 0], [2, 3])
    expect(Array.from(float32(await evaluate(operations.softmax(x, { axis: -1 }))))).toEqual([0.5, 0, 0.5, 1, 0, 0])
    const logits = constant([-200, 0, 200], [1, 3])
    const loss = operations.crossEntropy(logits, constant([0], [1], 'int64'))
    const program = await compile({ outputs: { loss, gradient: toDense(gradients(loss, [logits])[0]) } })
    const result = await program.run()
    expect(float32(result.loss)).toEqual(Float32Array.of(400))
    expect(Array.from(float32(result.gradient))).toEqual([-1, 0, 1])
  })

  it('a loss of which every target is ignored is 0 at each position, and its mean is not a number', async () => {
    const logits = constant([1, 2, 3, 4], [2, 2])
    const targets = constant([-100, -100], [2], 'int64')
    const perPosition = operations.crossEntropyPerPosition(logits, targets)
    expect(Array.from(float32(await evaluate(perPosition)))).toEqual([0, 0])
    expect(await gradientOfSquares(logits, perPosition)).toEqual([0, 0, 0, 0])
    expect(float32(await evaluate(operations.crossEntropy(logits, targets)))[0]).toBeNaN()
  })

  it('methods take a number as a constant of the other dtype, and cut, join and turn as operations do', async () => {
    const x = constant([1, 2, 3, 4, 5, 6], [2, 3])
    const numbers = async (tensor: Tensor) => Array.from((await evaluate(tensor)).data, Number)
    expect(await numbers(x.add(1).mul(2).sub(3).div(4))).toEqual([0.25, 0.75, 1.25, 1.75, 2.25, 2.75])
    expect(await numbers(constant([5, 7], [2], 'int64').greater(5))).toEqual([0, 1])
    expect(await numbers(x.less(3).not())).toEqual([0, 0, 1, 1, 1, 1])
    expect(await numbers(x.transpose())).toEqual([1, 4, 2, 5, 3, 6])
    expect(await numbers(x.slice(1, 1))).toEqual([2, 3, 5, 6])
    expect(await numbers(x.slice(-1, -2, -1))).toEqual([2, 5])
    expect(await numbers(x.sizeOf([0, -1]))).toEqual([6])
    expect(await numbers(x.mean())).toEqual([3.5])
    expect(x.unsqueeze(-1).shape).toEqual([2, 3, 1])
    expect(x.unsqueeze(0).shape).toEqual([1, 2, 3])
    expect(x.cast('float32')).toBe(x)
  })
})
