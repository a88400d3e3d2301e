import { describe, expect, it } from 'vitest'
import type { DType, Tensor } from '../../src/graph/index.js'
import * as operations from '../../src/graph/operations/index.js'
import { attend, Dropout, Mask } from '../../src/nn/index.js'
import { readFixture } from '../parity/fixtures.js'
import type { Sample } from './array.js'
import { checkOperation } from './check.js'

interface StoredArray {
  dtype: DType
  shape: number[]
  data: number[]
}

/** PyTorch's attributes, under the names that the script gave them; a case has those of its operation. */
interface Attributes {
  axis: number
  axes: number[]
  keepdims: number
  exponent: number
  approximate: string
  transA?: number
  transB?: number
  alpha?: number
  beta: number
  epsilon: number
  ignoreIndex: number
  labelSmoothing: number
  reduction: string
  perm: number[]
  shape: number[]
  starts: number[]
  ends: number[]
  split: number[]
  upper: number
  k: number
  ratio: number
  causal: boolean
}

interface FixtureCase {
  operation: string
  situation: string
  attributes: Attributes
  inputs: StoredArray[]
  outputs: StoredArray[]
  outputGradients: StoredArray[]
  inputGradients: (StoredArray | null)[]
}

const { cases } = readFixture<{ cases: FixtureCase[] }>('operations.json')

type Reduce = (x: Tensor, reduction: { axes: number[]; keepDimensions: boolean }) => Tensor
const reduction =
  (reduce: Reduce): Builder =>
  ([x], { axes, keepdims }) =>
    reduce(x, { axes, keepDimensions: keepdims === 1 })

const transposes = ({ transA, transB, alpha }: Attributes) => ({
  transposeA: transA === 1,
  transposeB: transB === 1,
  scale: alpha,
})

type Builder = (inputs: Tensor[], attributes: Attributes) => Tensor | Tensor[]

/** Our graph for each operation of the fixture. */
const builders: Readonly<Record<string, Builder>> = {
  Add: ([a, b]) => a.add(b),
  Sub: ([a, b]) => a.sub(b),
  Mul: ([a, b]) => a.mul(b),
  Div: ([a, b]) => a.div(b),
  Neg: ([x]) => x.neg(),
  Exp: ([x]) => x.exp(),
  Tanh: ([x]) => operations.tanh(x),
  Erf: ([x]) => x.erf(),
  Sigmoid: ([x]) => operations.sigmoid(x),
  Sin: ([x]) => operations.sin(x),
  Cos: ([x]) => operations.cos(x),
  Silu: ([x]) => operations.silu(x),
  Log: ([x]) => x.log(),
  Sqrt: ([x]) => x.sqrt(),
  Reciprocal: ([x]) => operations.reciprocal(x),
  Abs: ([x]) => operations.abs(x),
  Relu: ([x]) => operations.relu(x),
  Pow: ([x], { exponent }) => x.pow(exponent),
  Gelu: ([x], { approximate }) => (approximate === 'tanh' ? operations.geluTanh(x) : operations.gelu(x)),
  Where: ([condition, a, b]) => operations.where(condition, a, b),
  ReduceSum: reduction(operations.reduceSum),
  ReduceMean: reduction(operations.reduceMean),
  ReduceMax: reduction(operations.reduceMax),
  MatMul: ([a, b], attributes) => a.matmul(b, transposes(attributes)),
  Gemm: ([a, b, c], attributes) => operations.gemm(a, b, c?.mul(attributes.beta), transposes(attributes)),
  Softmax: ([x], { axis }) => operations.softmax(x, { axis }),
  LogSoftmax: ([x], { axis }) => operations.logSoftmax(x, { axis }),
  LayerNormalization: ([x, weight, bias], { epsilon }) => operations.layerNorm(x, weight, bias, { epsilon }),
  RMSNormalization: ([x, weight], { epsilon }) => operations.rmsNorm(x, weight, { epsilon }),
  SoftmaxCrossEntropy: ([logits, targets], { reduction, ...options }) =>
    (reduction === 'mean' ? operations.crossEntropy : operations.crossEntropyPerPosition)(logits, targets, options),
  // Ours takes rows, axis 0: the axis is brought there and back.
  Gather: ([table, ids], { axis }) =>
    axis === 0
      ? operations.gather(table, ids)
      : operations.gather(table.transpose([1, 0, 2]), ids).transpose(ids.rank === 0 ? [0, 1] : [1, 0, 2]),
  GatherElements: ([x, indices], { axis }) => operations.gatherElements(x, indices, { axis }),
  Transpose: ([x], { perm }) => x.transpose(perm),
  Reshape: ([x], { shape }) => x.reshape(shape),
  Concat: (inputs, { axis }) => operations.concat(...inputs, { axis }),
  Slice: ([x], { axes, starts, ends }) => axes.reduce((y, axis, i) => y.slice(axis, starts[i], ends[i]), x),
  Split: ([x], { axis, split }) => x.split(axis, split),
  Expand: ([x], { shape }) => x.expand(shape),
  Unsqueeze: ([x], { axes }) => axes.reduce((y, axis) => y.unsqueeze(axis), x),
  Squeeze: ([x], { axes }) => x.reshape(x.shape.filter((_, axis) => !axes.includes(axis))),
  Trilu: ([x], { upper, k }) => operations.triangle(x, { upper: upper === 1, k }),
  Dropout: ([x, keep], { ratio }) => operations.dropout(x, keep, { probability: ratio }),
  ScaledDotProductAttention: ([q, k, v], { causal }) =>
    attend(q, { keys: [k], values: [v] }, causal ? Mask.causal(q.shape[2]) : undefined, new Dropout(0)),
}

/** Cases of the fixture that nothing here computes, with the reason. */
const withoutCounterpart: Readonly<Record<string, string>> = {
  'Slice, step 2': 'slices are consecutive: no model takes every second element',
}

/** Rounding grows with the magnitudes inside: ±80 logits lose digits to the shift, 30-fold ones to the exponential. */
const tolerance = (name: string) => (/±80|scale 30/.test(name) ? 1e-5 : 3e-6)

const sample = ({ dtype, shape, data }: StoredArray): Sample => ({ dtype, shape, data: Float64Array.from(data) })
const nameOf = ({ operation, situation }: FixtureCase) => `${operation}, ${situation}`

describe('operations against PyTorch, forward and backward', () => {
  const tested = cases.filter((fixture) => !(nameOf(fixture) in withoutCounterpart))

  it.each(tested.map((fixture) => [nameOf(fixture), fixture] as const))('%s', async (name, fixture) => {
    const builder = builders[fixture.operation]
    expect(builder, `a builder for the operation '${fixture.operation}'`).toBeDefined()
    await checkOperation(
      {
        inputs: fixture.inputs.map(sample),
        build: (...inputs) => builder(inputs, fixture.attributes),
        outputGradients: fixture.outputGradients.map(sample),
      },
      {
        outputs: fixture.outputs.map(sample),
        inputGradients: fixture.inputGradients.map((gradient) => gradient && sample(gradient)),
      },
      tolerance(name),
    )
  })

  it('leaves out only cases that exist, and has builders only for operations that exist', () => {
    const names = cases.map(nameOf)
    const operationNames = cases.map(({ operation }) => operation)
    expect(Object.keys(withoutCounterpart).filter((name) => !names.includes(name))).toEqual([])
    expect(Object.keys(builders).filter((name) => !operationNames.includes(name))).toEqual([])
  })
})
