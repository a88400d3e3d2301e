import { describe, expect, it } from 'vitest'
import { constant, input, type Tensor } from '../graph/index.js'
import { gather } from '../graph/operations/index.js'
import { compile, evaluate, type RowValue } from '../runtime/index.js'
import { type Gradient, RowGradient, toDense } from './gradient.js'
import { gradients } from './gradients.js'

/** A table 0, 1, 2, … of the given shape. */
function counting(shape: readonly number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1)
  return constant(
    Array.from({ length: size }, (_, i) => i),
    shape,
  )
}

function sparse(gradient: Gradient): RowGradient {
  if (gradient instanceof RowGradient) return gradient
  throw new TypeError('expected a sparse gradient')
}

/** What an optimizer does with a sparse gradient: adds its parts to zeros, in plain loops. */
function scatter({ dense, parts }: RowValue, size: number, width: number): number[] {
  const table = dense === undefined ? new Array<number>(size).fill(0) : Array.from(dense.data, Number)
  for (const { ids, rows } of parts) {
    for (const [i, id] of Array.from(ids.data, Number).entries()) {
      for (let j = 0; j < width; j++) table[id * width + j] += Number(rows.data[i * width + j])
    }
  }
  return table
}

describe('sparse gradients', () => {
  const ids = constant([2, 0, 2], [3], 'int64')

  it('of a table that is only looked up have rows and no dense part', async () => {
    const table = counting([4, 2])
    const rows = gather(table, ids) // [4, 5], [0, 1], [4, 5]
    const gradient = sparse(gradients(rows.mul(rows).sum(), [table])[0])
    expect(gradient.shape).toEqual([4, 2])
    expect(gradient.dense).toBeUndefined()
    expect(gradient.parts.map((part) => part.ids)).toEqual([ids])
    const dense = [0, 2, 0, 0, 16, 20, 0, 0]
    expect(Array.from((await evaluate(toDense(gradient))).data, Number)).toEqual(dense)
    const program = await compile({ outputs: { gradient } })
    expect(scatter((await program.run()).gradient, 8, 2)).toEqual(dense)
  })

  it('of a table that is looked up twice and used whole have two parts and a dense one', async () => {
    const table = counting([3, 2])
    const loss = gather(table, ids)
      .sum()
      .add(
        gather(table, constant([1], [], 'int64'))
          .mul(10)
          .sum(),
      )
    const gradient = sparse(gradients(loss.add(table.mul(table).sum()), [table])[0])
    expect(gradient.parts.length).toBe(2)
    const dense = [0 + 1, 2 + 1, 4 + 10, 6 + 10, 8 + 2, 10 + 2] // 2·table, the ids' counts, ten times row 1
    expect(Array.from((await evaluate(toDense(gradient))).data, Number)).toEqual(dense)
    const program = await compile({ outputs: { gradient } })
    expect(scatter((await program.run()).gradient, 6, 2)).toEqual(dense)
  })

  it('flow on through a table that is computed', async () => {
    const base = constant([1, 2, 3, 4], [2, 2])
    const rows = gather(base.mul(base), constant([1, 1, 0], [3], 'int64'))
    expect(Array.from((await evaluate(toDense(gradients(rows.sum(), [base])[0]))).data, Number)).toEqual([2, 4, 12, 16])
  })

  it.each([
    ['few rows', [5, 3]],
    ['many rows', [1030, 3]],
    ['rows of one element', [5]],
    ['many rows of one element', [1030]],
    ['rows that are matrices', [5, 2, 3]],
    ['many rows that are matrices', [1030, 2, 3]],
  ])('become one tensor: %s', async (_name, shape) => {
    const width = shape.slice(1).reduce((a, b) => a * b, 1)
    const chosen = [4, 1, 4, 0]
    const table = counting(shape)
    const rows = gather(table, constant(chosen, [2, 2], 'int64'))
    const outputGradient = counting([2, 2, ...shape.slice(1)])
    const gradient = gradients(rows, [table], { outputGradient })[0]
    const expected = new Array<number>(shape[0] * width).fill(0)
    for (const [i, id] of chosen.entries()) for (let j = 0; j < width; j++) expected[id * width + j] += i * width + j
    const { data, shape: denseShape } = await evaluate(toDense(gradient))
    expect(denseShape).toEqual(shape)
    expect(Array.from(data, Number)).toEqual(expected)
  })

  it('become one tensor where the number of rows is a name', async () => {
    const table = input('table', 'float32', ['vocabulary', 2])
    const gradient = toDense(gradients(gather(table, ids), [table])[0])
    // It depends on the table's size alone, which only the declared input tells.
    const program = await compile({ inputs: { table }, outputs: { gradient } })
    const { data } = (await program.run({ table: { data: new Float32Array(8), shape: [4, 2] } })).gradient
    expect(Array.from(data, Number)).toEqual([1, 1, 0, 0, 2, 2, 0, 0])
    await expect(compile({ outputs: { gradient } })).rejects.toThrow("the size 'vocabulary'")
  })
})
