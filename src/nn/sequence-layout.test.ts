import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../autodiff/index.js'
import { constant, input, type Tensor } from '../graph/index.js'
import { compile, type Feed, float32 } from '../runtime/index.js'
import { meanOfTokens, PaddedLayout, RaggedLayout, type SequenceLayout, toGrid } from './sequence-layout.js'

/** Sequences of 2, 3 and 1 tokens; width 4, two heads. */
const [B, T, C] = [3, 3, 4]
const lengths = [2, 3, 1]
const grid = [0, 1, -1, 2, 3, 4, 5, -1, -1]
const places = [0, 1, 3, 4, 5, 6]
const N = places.length

/** Row n is 10n, 10n + 1, … */
const rows = (count: number) => Float32Array.from({ length: count * C }, (_, i) => 10 * Math.floor(i / C) + (i % C))

const int64 = (values: readonly number[], shape: readonly number[]): Feed => ({
  data: BigInt64Array.from(values, BigInt),
  shape,
})

function ragged() {
  const layout = new RaggedLayout(input('grid', 'int64', [B, T]), input('places', 'int64', [N]))
  return { layout, feeds: { grid: int64(grid, [B, T]), places: int64(places, [N]) }, rows: N, of: (row: number) => row }
}

function padded() {
  const keep = input('keep', 'bool', [B, T])
  const data = Uint8Array.from(grid, (row) => Number(row >= 0))
  const feeds = { keep: { data, shape: [B, T] } }
  return { layout: new PaddedLayout(keep), feeds, rows: B * T, of: (row: number) => places[row] }
}

/** Runs what is made of rows [N, C] in a layout. */
async function run(
  { layout, feeds, rows: count }: { layout: SequenceLayout; feeds: Record<string, Feed>; rows: number },
  build: (x: Tensor, layout: SequenceLayout) => Record<string, Tensor>,
) {
  const x = input('x', 'float32', [count, C])
  const program = await compile({ outputs: build(x, layout) })
  const all: Record<string, Feed> = { ...feeds, x: { data: rows(count), shape: [count, C] } }
  const used = Object.entries(all).filter(([name]) => program.inputs.has(name))
  const result = await program.run(Object.fromEntries(used))
  await program.dispose()
  return result
}

describe.each([
  ['ragged', ragged],
  ['padded', padded],
])('a %s layout', (name, make) => {
  const made = make()

  it('shows heads of tokens as a grid and puts them back', async () => {
    const { heads, back, first } = await run(made, (x, layout) => {
      const heads = layout.split(x, 2)
      return { heads, back: layout.join(heads), first: layout.first }
    })
    expect(heads.shape).toEqual([B, 2, T, C / 2])
    const data = float32(heads)
    for (const [place, row] of grid.entries()) {
      const [b, t] = [Math.floor(place / T), place % T]
      for (let h = 0; h < 2; h++) {
        const start = ((b * 2 + h) * T + t) * 2
        const value = row < 0 ? undefined : 10 * made.of(row) + 2 * h
        const expected = value === undefined ? [0, 0] : [value, value + 1]
        // What a padded layout has in other places is up to whoever filled the rows.
        if (row >= 0 || name === 'ragged') expect([...data.subarray(start, start + 2)]).toEqual(expected)
      }
    }
    expect(float32(back)).toEqual(rows(made.rows))
    expect(Array.from(first.data, Number)).toEqual([0, 2, 5].map(made.of))
  })

  it('takes the mean of the tokens, with gradients of exactly 0 elsewhere', async () => {
    const weights = constant([1, -2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31], [B, C])
    const { mean, gradient } = await run(made, (x, layout) => {
      const mean = meanOfTokens(x, layout)
      return { mean, gradient: toDense(gradients(mean.mul(weights), [x])[0]) }
    })
    const sequences = lengths.map((length, b) => Array.from({ length }, (_, t) => made.of(grid[b * T + t])))
    for (const [b, tokens] of sequences.entries()) {
      const center = tokens.reduce((sum, row) => sum + 10 * row, 0) / tokens.length
      for (let c = 0; c < C; c++) expect(float32(mean)[b * C + c]).toBeCloseTo(center + c, 4)
    }
    const expected = new Float32Array(made.rows * C)
    for (const [b, tokens] of sequences.entries()) {
      for (const row of tokens) {
        for (let c = 0; c < C; c++) expected[row * C + c] = Math.fround(Number(weights.data[b * C + c]) / tokens.length)
      }
    }
    for (const [i, value] of float32(gradient).entries()) {
      if (expected[i] === 0) expect(value).toBe(0)
      else expect(value).toBeCloseTo(expected[i], 5)
    }
  })
})

describe('rows in a ragged layout', () => {
  it('get the gradient of their own place, and places without a token a gradient of exactly 0', async () => {
    const seed = constant(
      Array.from({ length: N * C }, (_, i) => i + 1),
      [N, C],
    )
    const { places: ofPlaces, ofRows } = await run(ragged(), (x, layout) => {
      const heads = layout.split(x, 2)
      // Whatever attention makes of places without a token, here their double plus 7, has no effect.
      const mixed = heads.mul(2).add(7)
      const loss = layout.join(mixed).mul(seed).sum()
      const [ofRows, places] = gradients(loss, [x, mixed]).map(toDense)
      return { ofRows, places }
    })
    expect([...float32(ofRows)]).toEqual(Array.from({ length: N * C }, (_, i) => 2 * (i + 1)))
    for (const [place, row] of grid.entries()) {
      const [b, t] = [Math.floor(place / T), place % T]
      for (let h = 0; h < 2; h++) {
        const start = ((b * 2 + h) * T + t) * 2
        const expected = row < 0 ? [0, 0] : [row * C + 2 * h + 1, row * C + 2 * h + 2]
        expect([...float32(ofPlaces).subarray(start, start + 2)]).toEqual(expected)
      }
    }
  })

  it('have zeros in places without a token', async () => {
    const { all } = await run(ragged(), (x, layout) => ({ all: toGrid(x, layout) }))
    const expected = grid.flatMap((row) => Array.from({ length: C }, (_, c) => (row < 0 ? 0 : 10 * row + c)))
    expect([...float32(all)]).toEqual(expected)
  })
})
