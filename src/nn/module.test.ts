import { describe, expect, it } from 'vitest'
import { constant, filled, input, inScope, Parameter, type Tensor, tensorNames } from '../graph/index.js'
import { Embedding } from './embedding.js'
import { Linear } from './linear.js'
import { Module } from './module.js'
import { sinusoidalPositions } from './positions.js'

class Layer extends Module {
  readonly linear = new Linear(2, 2)
  /** Fields that hold no parts: names, numbers, typed arrays, functions, nothing. */
  readonly options = { name: 'layer', scale: 2, table: new Float32Array(3), act: (x: Tensor) => x.neg(), none: null }

  forward(x: Tensor): Tensor {
    return this.options.act(this.linear.forward(x)).named('negated')
  }
}

class Model extends Module {
  readonly encoder: Readonly<{ embedding: Embedding; layers: readonly Layer[]; scale: Parameter }>
  readonly positions = sinusoidalPositions(4, 2)
  readonly head: Linear

  constructor() {
    super()
    const embedding = new Embedding(5, 2)
    this.encoder = {
      embedding,
      layers: [new Layer(), new Layer()],
      scale: new Parameter([2], filled(1)),
    }
    this.head = new Linear(2, 5, { bias: false }, embedding.weight)
    this.nameParts()
  }

  forward(ids: Tensor): Tensor {
    let x = this.encoder.embedding.forward(ids).add(this.positions).mul(this.encoder.scale)
    for (const layer of this.encoder.layers) x = layer.forward(x)
    return this.head.forward(x)
  }
}

const paths = [
  'encoder.embedding.weight',
  'encoder.layers.0.linear.weight',
  'encoder.layers.0.linear.bias',
  'encoder.layers.1.linear.weight',
  'encoder.layers.1.linear.bias',
  'encoder.scale',
]

describe('a module', () => {
  const model = new Model()

  it('lists its parameters by the paths of their fields, in order, a shared one once', () => {
    const parameters = model.parameters()
    expect(Object.keys(parameters)).toEqual(paths)
    expect(Object.values(parameters).map(({ name }) => name)).toEqual(paths)
    expect(parameters['encoder.embedding.weight']).toBe(model.head.weight)
    expect(parameters['encoder.layers.1.linear.bias']).toBe(model.encoder.layers[1].linear.bias)
  })

  it('lists those of a part by their paths within it', () => {
    expect(Object.keys(model.encoder.layers[1].parameters())).toEqual(['linear.weight', 'linear.bias'])
    expect(Object.keys(model.head.parameters())).toEqual(['weight'])
  })

  it('knows where it is', () => {
    expect(model.path).toBe('')
    expect(model.encoder.layers[1].linear.path).toBe('encoder.layers.1.linear')
    expect(new Layer().linear.path).toBe('')
  })

  it('names what its forward makes after itself, also where only a part is called', () => {
    const whole = [...tensorNames([model.forward(input('ids', 'int64', [4]))]).values()]
    const expected = [
      'encoder.embedding.Gather',
      'Add',
      'Mul',
      'encoder.layers.0.linear.Gemm',
      'encoder.layers.0.negated',
      'encoder.layers.1.negated',
      'head.Gemm',
    ]
    expect(whole.filter((name) => expected.includes(name))).toEqual(expected)
    const x = input('x', 'float32', [3, 2])
    const part = inScope('elsewhere', () => model.encoder.layers[1].forward(x))
    expect(part.name).toBe('encoder.layers.1.negated')
  })

  it('gives the same names each time', () => {
    const names = () => [...tensorNames([model.forward(input('ids', 'int64', [4]))]).values()]
    expect(names()).toEqual(names())
  })

  it('does not look for parameters in the graphs that it keeps', () => {
    class Keeper extends Module {
      readonly own = new Parameter([1], filled(0))
      readonly kept = new Parameter([1], filled(0)).add(constant([1], [1]))

      forward(): Tensor {
        return this.kept
      }
    }
    expect(Object.keys(new Keeper().parameters())).toEqual(['own'])
  })
})
