import { describe, expect, it } from 'vitest'
import { RuntimeError } from '../errors.js'
import {
  add,
  constant,
  filled,
  input,
  inScope,
  multiply,
  Parameter,
  type Shape,
  scalar,
  type Tensor,
} from '../graph/index.js'
import { fill, layerNorm, size, split, triangle } from '../graph/operations/index.js'
import { lowerGraph } from './lower.js'
import { compile, evaluate } from './program.js'

const operators = (...outputs: Tensor[]) => lowerGraph(outputs).model.nodes.map(({ operator }) => operator)
const numbers = async (tensor: Tensor) => Array.from((await evaluate(tensor)).data, Number)

describe('equal nodes', () => {
  const [x, y] = [input('x', 'float32', [2, 2]), input('y', 'float32', [2, 2])]

  it('are written once, and so is what is equal because of them', () => {
    expect(operators(x.add(y).mul(2).add(x.add(y).mul(2)))).toEqual(['Add', 'Mul', 'Add'])
    const parts = () => x.split(0, [1, 1])
    expect(operators(parts()[0].add(parts()[1]))).toEqual(['Split', 'Add'])
  })

  it('are one value under two names', () => {
    const { model, outputs } = lowerGraph([x.add(y), x.add(y)])
    expect(outputs[0]).toBe(outputs[1])
    expect(model.outputs.length).toBe(1)
  })

  it('are equal in inputs, their order, and attributes', async () => {
    expect(operators(x.sub(y).add(y.sub(x)))).toEqual(['Sub', 'Sub', 'Add'])
    const a = constant([1, 2, 3, 4], [2, 2])
    expect(await numbers(a.transpose().sub(a.transpose([0, 1])))).toEqual([0, 1, -1, 0])
    expect(await numbers(triangle(a, { upper: true, k: 0 }).sub(triangle(a, { upper: false, k: 0 })))).toEqual([
      0, 2, -3, 0,
    ])
    expect(await numbers(a.sum([0]).add(a.sum([1])))).toEqual([4 + 3, 6 + 7])
  })

  it('share constants, but none of another dtype, shape or sign of zero', async () => {
    const { initializers } = lowerGraph([
      x
        .add(1)
        .mul(1)
        .add(constant([1], [1])),
    ]).model
    expect(initializers.map(({ shape, data }) => [shape, data])).toEqual([
      [[], Float32Array.of(1)],
      [[1], Float32Array.of(1)],
    ])
    const one = scalar(1)
    expect(await numbers(one.div(scalar(0)))).toEqual([Number.POSITIVE_INFINITY])
    expect(await numbers(one.div(scalar(-0)))).toEqual([Number.NEGATIVE_INFINITY])
    const both = one
      .div(scalar(0))
      .unsqueeze(0)
      .sub(one.div(scalar(-0)))
    expect(await numbers(both)).toEqual([Number.POSITIVE_INFINITY])
    expect(await numbers(scalar(1).cast('int64').add(scalar(1, 'int64')))).toEqual([2])
  })

  it('do not include large constants, whose contents are not compared', async () => {
    const [a, b] = [1, 2].map((value) => constant(new Float32Array(100).fill(value), [100]))
    expect((await numbers(a.sub(b)))[99]).toBe(-1)
  })
})

describe('what no output depends on', () => {
  it('is not written: neither nodes nor inputs', () => {
    const [x, unused] = [input('x', 'float32', [2, 3]), input('unused', 'float32', [2, 3])]
    unused.mul(x)
    const { model, inputs } = lowerGraph([x.mul(2)])
    expect(model.nodes.map(({ operator }) => operator)).toEqual(['Mul'])
    expect([...inputs.keys()]).toEqual([x])
  })

  it('may be an output of a node of which others are used', async () => {
    const x = constant([3, 5], [1, 2])
    expect(await numbers(layerNorm(x, constant([2, 2], [2]), undefined, { epsilon: 0 }))).toEqual([-2, 2])
    const [, second] = split(x, { axis: 1, sizes: [1, 1] })
    const { model } = lowerGraph([second])
    expect(model.nodes[0].outputs.length).toBe(2)
    expect(model.outputs.map(({ name }) => name)).toEqual([model.nodes[0].outputs[1]])
  })
})

describe('names in the ONNX graph', () => {
  it("are the tensors'; those of steps within an operation are numbered", () => {
    const x = input('x', 'float32', ['batch', 4])
    const y = inScope('h.0', () => x.matmul(x, { transposeB: true }).named('scores'))
    const { model, outputs } = lowerGraph([y, inScope('h.0', () => y.mul(y).named('scores'))])
    expect(outputs).toEqual(['h.0.scores', 'h.0.scores#2'])
    expect(model.inputs).toEqual([{ name: 'x', dtype: 'float32', shape: ['batch', 4] }])
    const names = lowerGraph([
      fill({ value: 1, shape: ['batch', 2], dtype: 'float32' })
        .add(x.sum())
        .named('y'),
    ]).model.nodes.flatMap((node) => node.outputs)
    expect(new Set(names).size).toBe(names.length)
    expect(names.at(-1)).toBe('y')
  })

  it('belong to inputs and constants through a node of their own where these are outputs', () => {
    const x = input('x', 'float32', [2])
    const { model, outputs } = lowerGraph([x, constant([1], [1])])
    expect(model.nodes.map(({ operator, inputs, outputs }) => [operator, inputs, outputs])).toEqual([
      ['Identity', ['x'], ['x.output']],
      ['Identity', ['constant'], ['constant.output']],
    ])
    expect(outputs).toEqual(['x.output', 'constant.output'])
  })

  it('say of outputs what their dtype and shape are', () => {
    const x = input('x', 'float32', ['batch', 4])
    expect(lowerGraph([x.sum([1]), x.greater(0)]).model.outputs).toEqual([
      { name: 'ReduceSum', dtype: 'float32', shape: ['batch'] },
      { name: 'Greater', dtype: 'bool', shape: ['batch', 4] },
    ])
  })
})

describe('parameters', () => {
  it('are inputs, or what the option makes of them', () => {
    const [kept, fixed] = ['kept', 'fixed'].map((path) => {
      const parameter = new Parameter([2], filled(0))
      parameter.path = path
      return parameter
    })
    const file = { location: 'model.safetensors', offset: 64, length: 8 }
    const { model, inputs } = lowerGraph([kept.add(fixed)], {
      initializer: (parameter, name) =>
        parameter === fixed ? { name, dtype: 'float32', shape: parameter.shape, data: file } : undefined,
    })
    expect([...inputs]).toEqual([[kept, 'kept']])
    expect(model.initializers).toEqual([{ name: 'fixed', dtype: 'float32', shape: [2], data: file }])
    expect(model.nodes[0].inputs).toEqual(['kept', 'fixed'])
  })
})

describe('dimensions at run time', () => {
  const x = input('x', 'float32', ['batch', 'sequence'])
  const past = input('past', 'float32', ['past'])
  const feeds = {
    x: { data: new Float32Array(6), shape: [2, 3] },
    past: { data: new Float32Array(4), shape: [4] },
  }
  const shapes: [Shape, number[]][] = [
    [['batch'], [2]],
    [
      [add('past', 'sequence'), 1, 'batch'],
      [7, 1, 2],
    ],
    [[multiply(2, multiply('batch', 'sequence'))], [12]],
    [[add('past', -1)], [3]],
    [[add(multiply('past', 'past'), multiply('sequence', -2))], [10]],
    [[add(multiply('batch', 'sequence'), add('past', 5))], [15]],
  ]

  it.each(shapes)('of %j are %j', async (shape, expected) => {
    const program = await compile({
      inputs: { x, past },
      outputs: {
        filled: fill({ value: 2, shape, dtype: 'float32' }),
        first: size({ dimension: shape[0] }),
      },
    })
    const needed = Object.entries(feeds).filter(([name]) => program.inputs.has(name))
    const { filled, first } = await program.run(Object.fromEntries(needed))
    expect(filled.shape).toEqual(expected)
    expect(Array.from(filled.data, Number).every((value) => value === 2)).toBe(true)
    expect([first.shape, Number(first.data[0])]).toEqual([[], expected[0]])
  })

  it('must be the size of some input', () => {
    const y = inScope('encoder', () => x.sum().expand(['sequence', 'tokens']))
    expect(() => lowerGraph([y])).toThrow(RuntimeError)
    expect(() => lowerGraph([y])).toThrow("the size 'tokens' at 'encoder.Expand' is not the size of any input")
  })
})
