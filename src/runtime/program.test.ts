import { describe, expect, it } from 'vitest'
import { RuntimeError, ShapeError, UsageError } from '../errors.js'
import { constant, filled, input, Parameter, type Tensor } from '../graph/index.js'
import { gather, linear, softmax } from '../graph/operations/index.js'
import { compile, evaluate } from './program.js'
import { float32 } from './values.js'

function parameter(shape: number[], values: number[] | Float32Array, path = 'weight'): Parameter {
  const made = new Parameter(shape, filled(0))
  made.data = Float32Array.from(values)
  made.path = path
  return made
}

describe('outputs of a program', () => {
  it('come under their keys: inputs, constants, parameters, equal tensors, one tensor twice', async () => {
    const x = input('x', 'float32', [2])
    const sum = x.add(1)
    const outputs = {
      x,
      constant: constant([7n, 8n].map(Number), [2], 'int64'),
      weight: parameter([2], [5, 6]),
      sum,
      again: sum,
      equal: x.add(1),
      more: sum.mul(2),
    }
    const program = await compile({ outputs })
    const result: Record<string, { data: ArrayLike<number | bigint>; shape: readonly number[] }> = await program.run({
      x: Float32Array.of(1, 2),
    })
    await program.dispose()
    const values = Object.fromEntries(Object.entries(result).map(([key, { data }]) => [key, Array.from(data, Number)]))
    expect(values).toEqual({
      x: [1, 2],
      constant: [7, 8],
      weight: [5, 6],
      sum: [2, 3],
      again: [2, 3],
      equal: [2, 3],
      more: [4, 6],
    })
    expect(Object.values(result).map(({ shape }) => shape)).toEqual(Array(7).fill([2]))
  })

  it('have their own dtypes', async () => {
    const x = input('x', 'float32', [2])
    const program = await compile({
      outputs: { truth: x.greater(1), integer: x.cast('int64'), double: x.cast('float64') },
    })
    const { truth, integer, double } = await program.run({ x: Float32Array.of(0.5, 2.5) })
    expect([truth.dtype, integer.dtype, double.dtype]).toEqual(['bool', 'int64', 'float64'])
    expect(truth.data).toEqual(Uint8Array.of(0, 1))
    expect(integer.data).toEqual(BigInt64Array.of(0n, 2n))
    expect(double.data).toEqual(Float64Array.of(0.5, 2.5))
  })

  it('are written into given arrays', async () => {
    const x = input('x', 'float32', [2, 2])
    const [doubled, squared] = [x.mul(2), x.mul(x)]
    const program = await compile({ outputs: { doubled, squared } })
    const into = new Float32Array(4)
    const result = await program.run(
      { x: Float32Array.of(1, 2, 3, 4) },
      { into: new Map([[program.target(squared), into]]) },
    )
    expect([...into]).toEqual([1, 4, 9, 16])
    expect([...float32(result.squared)]).toEqual([1, 4, 9, 16])
    expect([...float32(result.doubled)]).toEqual([2, 4, 6, 8])
    const tooSmall = new Map([[program.target(doubled), new Float32Array(3)]])
    await expect(program.run({ x: Float32Array.of(1, 2, 3, 4) }, { into: tooSmall })).rejects.toThrow(RuntimeError)
  })
})

describe('inputs of a program', () => {
  const [a, b] = [input('a', 'float32', [2]), input('b', 'float32', [2])]
  const difference = a.sub(b)

  it('have their own names, or those that compile was given', async () => {
    const named = await compile({ inputs: { left: a, right: b }, outputs: { difference } })
    expect([...named.inputs]).toEqual([
      ['left', a],
      ['right', b],
    ])
    const { difference: value } = await named.run({ left: Float32Array.of(5, 7), right: Float32Array.of(1, 2) })
    expect([...float32(value)]).toEqual([4, 5])
    expect([...float32(await evaluate(difference, { a: Float32Array.of(1, 2), b: Float32Array.of(5, 7) }))]).toEqual([
      -4, -5,
    ])
  })

  it('keep their names where other tensors have the same', async () => {
    const y = a.add(1).named('b').mul(b) // an operation's output is named 'b' before the input
    const late = y.add(input('Mul', 'float32', [2]))
    const feeds = { a: Float32Array.of(1, 2), b: Float32Array.of(3, 4), Mul: Float32Array.of(10, 20) }
    expect([...float32(await evaluate(late, feeds))]).toEqual([16, 32])
  })

  it('are numbered where two have one name', async () => {
    const sum = input('x', 'float32', [1]).sub(input('x', 'float32', [1]))
    expect([...float32(await evaluate(sum, { x: Float32Array.of(5), 'x#2': Float32Array.of(3) }))]).toEqual([2])
  })

  it('are those that the outputs need; all of these must be declared', async () => {
    const program = await compile({ inputs: { a, b }, outputs: { doubled: a.mul(2) } })
    expect([...program.inputs.keys()]).toEqual(['a'])
    await expect(compile({ inputs: { a }, outputs: { difference } })).rejects.toThrow(UsageError)
    await expect(compile({ inputs: { a }, outputs: { difference } })).rejects.toThrow(
      "compile: the outputs need the input 'b', which is not in inputs",
    )
  })

  it('are checked', async () => {
    const program = await compile({ outputs: { difference } })
    await expect(program.run({ a: new Float32Array(2) })).rejects.toThrow("run: input 'b' is missing; give float32[2]")
    await expect(program.run({ a: new Float32Array(2), b: new Float32Array(3) })).rejects.toThrow(ShapeError)
    await expect(
      program.run({ a: new Float32Array(2), b: new Float32Array(2), c: new Float32Array(2) }),
    ).rejects.toThrow(UsageError)
  })

  it('give their sizes also where their elements have no part in the outputs', async () => {
    const x = input('x', 'float32', ['batch', 3])
    const ones = constant([1], []).expand(['batch', 2])
    const program = await compile({ inputs: { x }, outputs: { ones } })
    const { ones: value } = await program.run({ x: { data: new Float32Array(12), shape: [4, 3] } })
    expect([value.shape, [...float32(value)]]).toEqual([[4, 2], Array(8).fill(1)])
    await expect(compile({ outputs: { ones } })).rejects.toThrow("the size 'batch' at 'Expand'")
  })
})

describe('parameters of a program', () => {
  const x = input('x', 'float32', [1, 2])
  const feeds = { x: Float32Array.of(1, 10) }
  const product = (weight: Tensor) => linear(x, weight, undefined)
  const numbers = (value: Parameters<typeof float32>[0]) => [...float32(value)]

  it('are read anew at every run, from whatever array holds them then', async () => {
    const weight = parameter([2, 2], [1, 2, 3, 4])
    const program = await compile({ outputs: { y: product(weight) } })
    expect([...program.inputs.keys()]).toEqual(['x'])
    expect(numbers((await program.run(feeds)).y)).toEqual([31, 42])
    weight.data![0] = 2
    expect(numbers((await program.run(feeds)).y)).toEqual([32, 42])
    weight.data = Float32Array.of(9, 9, 1, 0, 0, 1, 9).subarray(2, 6)
    expect(numbers((await program.run(feeds)).y)).toEqual([1, 10])
  })

  it('are fixed where they are constants, also in a part of an array', async () => {
    const weight = parameter([2, 2], [])
    weight.data = Float32Array.of(9, 1, 2, 3, 4, 9).subarray(1, 5)
    const other = parameter([2], [100, 200], 'weight') // of the same name: a graph may hold two models
    const program = await compile({ outputs: { y: product(weight).add(other) }, parameters: 'constants' })
    weight.data = undefined
    expect(numbers((await program.run(feeds)).y)).toEqual([131, 242])
  })

  it.each(['inputs', 'constants'] as const)('must have values, as many as their shape (%s)', async (parameters) => {
    const weight = new Parameter([2, 2], filled(0))
    weight.path = 'h.0.weight'
    const attempt = async () => (await compile({ outputs: { y: product(weight) }, parameters })).run(feeds)
    await expect(attempt).rejects.toThrow(UsageError)
    await expect(attempt).rejects.toThrow(
      "parameter 'h.0.weight' has no values yet: initialize the model or load a checkpoint",
    )
    weight.data = new Float32Array(3)
    await expect(attempt).rejects.toThrow(ShapeError)
    await expect(attempt).rejects.toThrow("parameter 'h.0.weight': [2, 2] has 4 elements, its array 3")
  })
})

describe('what the engine refuses', () => {
  it('while compiling and while running, is a RuntimeError with the reason', async () => {
    const doubles = input('x', 'float64', [2, 2])
    await expect(compile({ outputs: { y: doubles.erf() } })).rejects.toThrow(RuntimeError)
    await expect(compile({ outputs: { y: doubles.erf() } })).rejects.toThrow(/^the engine refused the program: .*Erf/)
    const row = gather(constant([1, 2], [2, 1]), constant([5], [1], 'int64'))
    await expect(evaluate(row)).rejects.toThrow(/^the engine .* the program: .*Gather/)
  })

  it('does not keep a program from running again', async () => {
    const ids = input('ids', 'int64', [1])
    const program = await compile({ outputs: { row: gather(softmax(constant([0, 0], [2, 1]), { axis: 0 }), ids) } })
    await expect(program.run({ ids: BigInt64Array.of(2n) })).rejects.toThrow(RuntimeError)
    expect([...float32((await program.run({ ids: BigInt64Array.of(1n) })).row)]).toEqual([0.5])
  })
})
