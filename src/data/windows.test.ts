import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { MemoryTokenStore } from './token-store.js'
import { evaluationBatches, type WindowBatch, Windows } from './windows.js'

/** A text whose token at position i is i, so that every token says where it came from. */
const positions = (length: number) => Uint32Array.from({ length }, (_, i) => i)

/** Documents of the given lengths whose token at position i of all is i. */
function documents(lengths: readonly number[]): MemoryTokenStore {
  const starts = [0]
  for (const length of lengths) starts.push(starts[starts.length - 1] + length)
  return new MemoryTokenStore(positions(starts[starts.length - 1]), Float64Array.from(starts))
}

/** The rows of a batch without padding, after checking the padding and that targets follow ids. */
function rows({ ids, targets, predictions }: WindowBatch, contextLength: number): number[][] {
  const found = Array.from({ length: ids.length / contextLength }, (_, row) => {
    const row0 = row * contextLength
    const counted = [...targets.slice(row0, row0 + contextLength)].filter((target) => target !== -100n).length
    const read = [...ids.slice(row0, row0 + contextLength)]
    expect([...targets.slice(row0, row0 + counted)]).toEqual(read.slice(0, counted).map((id) => id + 1n))
    expect(read.slice(counted).every((id) => id === 0n)).toBe(true)
    return read.slice(0, counted).map(Number)
  })
  expect(predictions).toBe(found.flat().length)
  return found
}

/** The windows of one epoch in the order they are visited, one batch of one window at a time. */
function epochRows(windows: Windows, epoch: number, contextLength: number): number[][] {
  const count = windows.windowsPerEpoch
  return Array.from({ length: count }, (_, i) => rows(windows.batch(epoch * count + i, 1), contextLength)[0])
}

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)
const range = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + i)

describe('Windows, packed', () => {
  it('gives runs of consecutive tokens and the tokens after them', () => {
    const windows = new Windows(positions(1000), { contextLength: 16, seed: 7 })
    const found = rows(windows.batch(3, 5), 16)
    expect(found).toHaveLength(5)
    for (const row of found) expect(row).toEqual(range(row[0], row[0] + row.length))
  })

  it('has every target exactly once an epoch, in another order and with other cuts every time', () => {
    const windows = new Windows(positions(1000), { contextLength: 16, seed: 7 })
    const epochs = [0, 1, 2].map((epoch) => epochRows(windows, epoch, 16))
    for (const epoch of epochs) {
      expect(sorted(epoch.flat())).toEqual(range(0, 999)) // the targets are one further
      expect(epoch.filter((row) => row.length < 16).length).toBeLessThanOrEqual(2)
      expect(epoch.flat()).not.toEqual(range(0, 999))
    }
    const starts = epochs.map((epoch) => sorted(epoch.map(([first]) => first)))
    expect(new Set(starts.map((list) => list[1])).size).toBeGreaterThan(1)
    const order = epochs.map((epoch) => epoch.map(([first]) => Math.ceil(first / 16)))
    expect(order[0]).not.toEqual(order[1])
  })

  it('has every target exactly once an epoch, whatever the lengths', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 200 }),
        fc.nat(1000),
        (contextLength, more, seed) => {
          const length = contextLength + more
          const windows = new Windows(positions(length), { contextLength, seed })
          for (const epoch of [0, 1, 5]) {
            const visited = epochRows(windows, epoch, contextLength)
            expect(visited.every((row) => row.length > 0)).toBe(true)
            expect(sorted(visited.flat())).toEqual(range(0, length - 1))
          }
        },
      ),
    )
  })

  it('cuts at many places over the epochs', () => {
    for (const length of [161, 162, 170, 176]) {
      const windows = new Windows(positions(length), { contextLength: 16, seed: 0 })
      const cuts = new Set(range(0, 200).map((epoch) => sorted(epochRows(windows, epoch, 16).map(([at]) => at))[1]))
      expect(cuts.size).toBeGreaterThanOrEqual(8) // half of the 16 that there are
    }
  })

  it('is a pure function of seed and index: a fresh run, out of order, agrees', () => {
    const first = new Windows(positions(500), { contextLength: 10, seed: 3 })
    const all = Array.from({ length: 30 }, (_, index) => first.batch(index, 7))
    const resumed = new Windows(positions(500), { contextLength: 10, seed: 3 })
    for (const index of [29, 3, 17, 0, 6]) expect(resumed.batch(index, 7)).toEqual(all[index])
    const other = new Windows(positions(500), { contextLength: 10, seed: 4 })
    expect(other.batch(0, 7)).not.toEqual(all[0])
  })

  it('lets batches flow across the ends of epochs', () => {
    const windows = new Windows(positions(100), { contextLength: 10, seed: 1 })
    const count = windows.windowsPerEpoch
    const flowing = range(0, count).flatMap((index) => rows(windows.batch(index, 2), 10))
    expect(flowing).toEqual([...epochRows(windows, 0, 10), ...epochRows(windows, 1, 10)])
  })

  it('runs across the borders of documents', () => {
    const windows = new Windows(documents([3, 4, 5, 6]), { contextLength: 4, seed: 0 })
    expect(sorted(epochRows(windows, 0, 4).flat())).toEqual(range(0, 17))
  })

  it('refuses a text without one window', () => {
    const make = () => new Windows(positions(64), { contextLength: 64, seed: 0 })
    expect(make).toThrow(DataError)
    expect(make).toThrow('has 64 tokens, a window needs 65')
  })
})

describe('Windows, each document for itself', () => {
  it('cuts documents from their start and predicts nothing across their borders', () => {
    const windows = new Windows(documents([3, 1, 9, 2, 5]), { contextLength: 4, packing: false, seed: 2 })
    const visited = epochRows(windows, 0, 4).sort(([a], [b]) => a - b)
    expect(visited).toEqual([[0, 1], [4, 5, 6, 7], [8, 9, 10, 11], [13], [15, 16, 17, 18]])
  })

  it('has every target but the first of each document exactly once an epoch', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 12 }), (list, contextLength) => {
        const store = documents([2, ...list])
        const windows = new Windows(store, { contextLength, packing: false, seed: 0 })
        const ends = new Set([...store.documentStarts(1, store.documents)].map((start) => start - 1))
        const expected = range(0, store.length).filter((position) => !ends.has(position))
        for (const epoch of [0, 3]) expect(sorted(epochRows(windows, epoch, contextLength).flat())).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })

  it('visits them in another order every epoch, the same for the same seed', () => {
    const options = { contextLength: 4, packing: false, seed: 5 }
    const make = () => new Windows(documents(Array.from({ length: 200 }, () => 5)), options)
    const epochs = [0, 1].map((epoch) => epochRows(make(), epoch, 4))
    expect(epochs[0]).not.toEqual(epochs[1])
    expect(epochRows(make(), 1, 4)).toEqual(epochs[1])
  })

  it('refuses documents without anything to predict', () => {
    const make = () => new Windows(documents([1, 1, 1]), { contextLength: 4, packing: false, seed: 0 })
    expect(make).toThrow('none of the 3 documents to train on has two tokens')
  })
})

describe('evaluationBatches', () => {
  it.each([
    [100, 8, 4],
    [97, 8, 4],
    [98, 8, 4],
    [5, 8, 4],
    [2, 8, 4],
    [9, 8, 4],
  ])('scores every token of %d but the first exactly once (T %d, B %d)', (length, contextLength, batchSize) => {
    const targets: number[] = []
    for (const batch of evaluationBatches(positions(length), { contextLength, batchSize })) {
      expect(batch.ids).toHaveLength(batch.batch * batch.length)
      expect([...batch.targets]).toEqual([...batch.ids].map((id) => id + 1n))
      expect(batch.predictions).toBe(batch.ids.length)
      targets.push(...[...batch.targets].map(Number))
    }
    expect(targets).toEqual(range(1, length))
  })

  it('has one shape but at the end', () => {
    const batches = [...evaluationBatches(positions(100), { contextLength: 8, batchSize: 5 })]
    expect(batches.map(({ batch, length }) => [batch, length])).toEqual([
      [5, 8],
      [5, 8],
      [2, 8],
      [1, 3],
    ]) // 99 targets = 12 windows of 8 and 3
  })

  it('scores each document for itself in order', () => {
    const options = { contextLength: 4, batchSize: 2, packing: false }
    const batches = [...evaluationBatches(documents([3, 1, 9, 2, 5]), options)]
    expect(batches.map(({ batch, length }) => [batch, length])).toEqual([
      [2, 4],
      [2, 4],
      [1, 4],
    ])
    const found = batches.flatMap((batch) => rows(batch, 4))
    expect(found).toEqual([[0, 1], [4, 5, 6, 7], [8, 9, 10, 11], [13], [15, 16, 17, 18]])
  })

  it('refuses a text with nothing to predict', () => {
    expect(() => [...evaluationBatches(positions(1), { contextLength: 8, batchSize: 4 })]).toThrow(
      'has 1 tokens, expected at least 2',
    )
  })
})
