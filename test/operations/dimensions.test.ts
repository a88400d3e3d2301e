import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../../src/autodiff/index.js'
import {
  add,
  type Dimension,
  type DType,
  evaluateDimension,
  input,
  multiply,
  type Shape,
  type Tensor,
} from '../../src/graph/index.js'
import * as operations from '../../src/graph/operations/index.js'
import { attend, Dropout, joinHeads, Mask, splitHeads } from '../../src/nn/index.js'
import { compile, type Program, type TensorValue } from '../../src/runtime/index.js'
import { count } from './array.js'
import { arrayOf, expectClose } from './check.js'
import { generator } from './draw.js'

type Name = 'batch' | 'sequence' | 'past' | 'vocabulary'
type Dimensions = Readonly<Record<Name, Dimension>>

/** dtype, shape, and for integers how many different ones there are. */
type Declared = readonly [dtype: DType, shape: Shape, bound?: number]

/** One graph, built with names or with numbers in the places of the dimensions. */
interface NamedCase {
  readonly inputs: (dimensions: Dimensions) => Readonly<Record<string, Declared>>
  readonly build: (inputs: Readonly<Record<string, Tensor>>, dimensions: Dimensions) => Tensor
}

const names: Dimensions = { batch: 'batch', sequence: 'sequence', past: 'past', vocabulary: 'vocabulary' }
const sizes: readonly Readonly<Record<Name, number>>[] = [
  { batch: 2, sequence: 3, past: 4, vocabulary: 6 },
  { batch: 3, sequence: 5, past: 1, vocabulary: 7 },
  { batch: 1, sequence: 1, past: 2, vocabulary: 5 },
]

/** x [batch, sequence, 4] and nothing else. */
const oneInput = ({ batch, sequence }: Dimensions) => ({ x: ['float32', [batch, sequence, 4]] }) as const
const ofOne = (build: (x: Tensor, dimensions: Dimensions) => Tensor): NamedCase => ({
  inputs: oneInput,
  build: ({ x }, dimensions) => build(x, dimensions),
})

const cases: Readonly<Record<string, NamedCase>> = {
  'add with broadcasting': {
    inputs: ({ batch, sequence }) => ({
      x: ['float32', [batch, sequence, 4]],
      rows: ['float32', [sequence, 1]],
      columns: ['float32', [4]],
      one: ['float32', [batch, 1, 1]],
    }),
    build: ({ x, rows, columns, one }) => x.add(rows).add(columns).add(one),
  },
  'sub, mul and div with broadcasting': {
    inputs: ({ batch, sequence }) => ({ x: ['float32', [batch, sequence, 4]], rows: ['float32', [sequence, 1]] }),
    build: ({ x, rows }) => x.mul(rows).sub(x.div(rows.mul(rows).add(1))),
  },
  where: {
    inputs: ({ batch, sequence }) => ({
      keep: ['bool', [batch, sequence], 2],
      x: ['float32', [batch, sequence]],
      rows: ['float32', [sequence]],
    }),
    build: ({ keep, x, rows }) => operations.where(keep, x, rows),
  },
  'sum over named axes': ofOne((x) => x.sum([0, 1])),
  'mean over a named axis': ofOne((x) => x.mean([1])),
  'mean over named axes, kept': ofOne((x) => x.mean([0, 2], true)),
  'mean over all': ofOne((x) => x.mul(x).mean()),
  'maximum over a named axis': ofOne((x) => operations.reduceMax(x, { axes: [1] })),
  'reshape joining names': ofOne((x) => x.reshape([-1, 4]).mul(2)),
  'reshape inferring a name': ofOne((x, { batch }) => x.reshape([batch, -1])),
  'reshape with two new names': ofOne((x, { sequence, batch }) => x.reshape([sequence, 2, batch, 2])),
  'reshape to a written product': ofOne((x, { sequence, batch }) => x.reshape([2, multiply(sequence, batch), 2])),
  transpose: ofOne((x) => x.transpose([2, 0, 1])),
  'heads apart and together': ofOne((x) => joinHeads(splitHeads(x, 2).mul(splitHeads(x, 2)))),
  'matmul of stacks': {
    inputs: ({ batch, sequence, past }) => ({
      a: ['float32', [batch, sequence, 4]],
      b: ['float32', [batch, past, 4]],
    }),
    build: ({ a, b }) => a.matmul(b, { transposeB: true, scale: 0.5 }),
  },
  'matmul with a broadcast stack': {
    inputs: ({ batch, sequence, past }) => ({
      a: ['float32', [batch, 1, sequence, 4]],
      b: ['float32', [2, 4, past]],
    }),
    build: ({ a, b }) => a.matmul(b),
  },
  'matmul of a stack by a matrix': {
    inputs: ({ batch, sequence }) => ({ a: ['float32', [batch, sequence, 4]], b: ['float32', [4, 3]] }),
    build: ({ a, b }) => a.matmul(b),
  },
  linear: {
    inputs: ({ batch, sequence }) => ({
      x: ['float32', [batch, sequence, 4]],
      weight: ['float32', [3, 4]],
      bias: ['float32', [3]],
    }),
    build: ({ x, weight, bias }) => operations.linear(x, weight, bias, { transposeB: true }),
  },
  'softmax along a name': ofOne((x) => operations.softmax(x, { axis: 1 })),
  'log-softmax along a number': ofOne((x) => operations.logSoftmax(x, { axis: -1 })),
  'layer norm': {
    inputs: ({ batch, sequence }) => ({
      x: ['float32', [batch, sequence, 4]],
      weight: ['float32', [4]],
      bias: ['float32', [4]],
    }),
    build: ({ x, weight, bias }) => operations.layerNorm(x, weight, bias, { epsilon: 1e-3 }),
  },
  'concat, split and slice by names': {
    inputs: ({ batch, sequence, past }) => ({
      cached: ['float32', [batch, past, 4]],
      fresh: ['float32', [batch, sequence, 4]],
    }),
    build: ({ cached, fresh }, { past, sequence }) => {
      const all = operations.concat(cached, fresh, { axis: 1 })
      const [, second] = all.mul(all).split(1, [past, sequence])
      return second.add(all.slice(1, past, add(past, sequence)))
    },
  },
  'slice with an end counted from the back': {
    inputs: ({ batch, sequence, past }) => ({
      cached: ['float32', [batch, past, 4]],
      fresh: ['float32', [batch, sequence, 4]],
    }),
    build: ({ cached, fresh }) => operations.concat(cached, fresh, { axis: 1 }).slice(1, 1, -1),
  },
  'pad by names': ofOne((x, { sequence, batch }) =>
    operations.pad(x, { axis: 1, before: batch, after: add(sequence, 1) }),
  ),
  'gather of positions': {
    inputs: ({ batch, sequence }) => ({
      tokens: ['float32', [9, 4]],
      positions: ['float32', [6, 4]],
      ids: ['int64', [batch, sequence], 9],
    }),
    build: ({ tokens, positions, ids }, { sequence }) =>
      operations.gather(tokens, ids).add(operations.gather(positions, operations.range({ limit: sequence }))),
  },
  'gather from a table with a named count': {
    inputs: ({ batch, sequence, vocabulary }) => ({
      tokens: ['float32', [vocabulary, 4]],
      ids: ['int64', [batch, sequence], 5],
    }),
    build: ({ tokens, ids }) => operations.gather(tokens, ids),
  },
  'gatherElements and scatterElements': {
    inputs: ({ batch, sequence }) => ({
      x: ['float32', [batch, 4]],
      indices: ['int64', [batch, sequence], 4],
    }),
    build: ({ x, indices }) => {
      const picked = operations.gatherElements(x, indices, { axis: 1 })
      return operations.scatterElements(x, indices, picked.mul(picked), { axis: 1, reduction: 'add' })
    },
  },
  'cross-entropy, smoothed, over a number of classes': {
    inputs: ({ batch, sequence }) => ({
      logits: ['float32', [batch, sequence, 5]],
      targets: ['int64', [batch, sequence], 5],
    }),
    build: ({ logits, targets }) => operations.crossEntropy(logits, targets, { labelSmoothing: 0.1 }),
  },
  'cross-entropy, smoothed, over a named number of classes': {
    inputs: ({ batch, sequence, vocabulary }) => ({
      logits: ['float32', [batch, sequence, vocabulary]],
      targets: ['int64', [batch, sequence], 5],
    }),
    build: ({ logits, targets }) => operations.crossEntropyPerPosition(logits, targets, { labelSmoothing: 0.2 }),
  },
  'causal mask': {
    inputs: ({ batch, sequence }) => ({ scores: ['float32', [batch, 2, sequence, sequence]] }),
    build: ({ scores }, { sequence }) => operations.softmax(Mask.causal(sequence).apply(scores), { axis: -1 }),
  },
  expand: {
    inputs: ({ batch, sequence }) => ({ x: ['float32', [batch, 1, 4]], like: ['float32', [sequence]] }),
    build: ({ x, like }, { batch, sequence }) => x.expand([2, batch, sequence, 4]).mul(like.unsqueeze(1)),
  },
  'fill and the size of an axis': ofOne((x, { sequence, batch }) =>
    x
      .mul(operations.fill({ value: 1.5, shape: [batch, sequence, 1], dtype: 'float32' }))
      .div(operations.size({ dimension: add(multiply(2, sequence), multiply(batch, sequence)) }).cast('float32')),
  ),
  dropout: {
    inputs: ({ batch, sequence }) => ({
      x: ['float32', [batch, sequence]],
      keep: ['bool', [batch, sequence], 2],
    }),
    build: ({ x, keep }) => operations.dropout(x, keep, { probability: 0.25 }),
  },
  'attention over cached and new keys': {
    inputs: ({ batch, sequence, past }) => ({
      q: ['float32', [batch, 2, sequence, 3]],
      k: ['float32', [batch, 2, sequence, 3]],
      v: ['float32', [batch, 2, sequence, 3]],
      cachedKeys: ['float32', [batch, 2, past, 3]],
      cachedValues: ['float32', [batch, 2, past, 3]],
      bias: ['float32', [sequence, add(past, sequence)]],
    }),
    build: ({ q, k, v, cachedKeys, cachedValues, bias }) =>
      attend(q, { keys: [cachedKeys, k], values: [cachedValues, v] }, new Mask(bias), new Dropout(0)),
  },
}

/** Compiles a case: its output, and the gradients of Σ output² by every float input. */
async function compileCase(namedCase: NamedCase, dimensions: Dimensions): Promise<Program<Record<string, Tensor>>> {
  const declared = Object.entries(namedCase.inputs(dimensions))
  const inputs = Object.fromEntries(declared.map(([name, [dtype, shape]]) => [name, input(name, dtype, shape)]))
  const output = namedCase.build(inputs, dimensions)
  const floats = Object.entries(inputs).filter(([, tensor]) => tensor.isFloat)
  const found = gradients(output.mul(output).sum(), Object.fromEntries(floats))
  const dense = Object.entries(found).map(([name, gradient]) => [`gradient of ${name}`, toDense(gradient)] as const)
  return compile({ inputs, outputs: { output, ...Object.fromEntries(dense) }, threads: 1 })
}

/** Random arrays for a case at given sizes. */
function drawFeeds(namedCase: NamedCase, dimensions: Readonly<Record<Name, number>>) {
  const values = new Map<string, number>(Object.entries(dimensions))
  const random = generator(7)
  return Object.entries(namedCase.inputs(dimensions)).map(([name, [dtype, shape, bound]]) => {
    const numbers = shape.map((dimension) => evaluateDimension(dimension, values))
    const element = () => (bound === undefined ? 4 * random() - 2 : Math.floor(bound * random()))
    const data = Array.from({ length: count(numbers) }, element)
    return [name, { data: arrayOf({ dtype, data }), shape: numbers }] as const
  })
}

describe('one program with named dimensions agrees with a program for every size', () => {
  it.each(Object.entries(cases))('%s', async (_name, namedCase) => {
    const named = await compileCase(namedCase, names)
    for (const dimensions of sizes) {
      const feeds = Object.fromEntries(drawFeeds(namedCase, dimensions).filter(([name]) => named.inputs.has(name)))
      const numbered = await compileCase(namedCase, dimensions)
      const expected: Record<string, TensorValue> = await numbered.run(feeds)
      const actual: Record<string, TensorValue> = await named.run(feeds)
      expect(Object.keys(actual)).toEqual(Object.keys(expected))
      for (const [key, { shape, data }] of Object.entries(expected)) {
        expectClose(actual[key], { shape, data: Float64Array.from(data, Number) }, 1e-6, key)
      }
      await numbered.dispose()
    }
    await named.dispose()
  })
})
