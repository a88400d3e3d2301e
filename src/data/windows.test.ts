import { describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { evaluationBatches, Windows } from './windows.js'

/** A text whose token at position i is i, so that every token says where it came from. */
const positions = (length: number) => Uint32Array.from({ length }, (_, i) => i)

function rows(values: BigInt64Array, length: number): number[][] {
  return Array.from({ length: values.length / length }, (_, row) =>
    [...values.slice(row * length, (row + 1) * length)].map(Number),
  )
}

/** The first positions of the windows of one epoch, one batch of one window at a time. */
function epochStarts(windows: Windows, epoch: number): number[] {
  const count = windows.windowsPerEpoch
  return Array.from({ length: count }, (_, i) => Number(windows.batch(epoch * count + i, 1).ids[0]))
}

describe('Windows', () => {
  it('gives runs of consecutive tokens and the tokens after them', () => {
    const { ids, targets } = new Windows(positions(1000), 16, { seed: 7 }).batch(3, 5)
    expect(ids).toHaveLength(5 * 16)
    for (const row of rows(ids, 16)) expect(row).toEqual(Array.from({ length: 16 }, (_, i) => row[0] + i))
    expect([...targets]).toEqual([...ids].map((id) => id + 1n))
  })

  it('visits windows that do not overlap, each once an epoch, in another order and phase every time', () => {
    const windows = new Windows(positions(1000), 16, { seed: 7 })
    expect(windows.windowsPerEpoch).toBe(61) // ⌊(999 − 15) / 16⌋
    const epochs = [0, 1, 2].map((epoch) => epochStarts(windows, epoch))
    for (const starts of epochs) {
      const sorted = [...starts].sort((a, b) => a - b)
      expect(sorted).toEqual(Array.from({ length: 61 }, (_, i) => sorted[0] + 16 * i))
      expect(sorted[0]).toBeLessThanOrEqual(999 - 61 * 16)
      expect(sorted[60] + 16).toBeLessThanOrEqual(999)
      expect(starts).not.toEqual(sorted)
    }
    expect(new Set(epochs.map((starts) => Math.min(...starts))).size).toBeGreaterThan(1)
    const order = (starts: number[]) => starts.map((start) => Math.floor(start / 16))
    expect(order(epochs[0])).not.toEqual(order(epochs[1]))
  })

  it('reaches every token over the epochs', () => {
    const windows = new Windows(positions(50), 8, { seed: 0 })
    const seen = new Set<bigint>()
    for (let index = 0; index < 400; index++) for (const id of windows.batch(index, 1).targets) seen.add(id)
    expect(seen.size).toBe(49)
  })

  it('is a pure function of seed and index: a fresh run, out of order, agrees', () => {
    const first = new Windows(positions(500), 10, { seed: 3 })
    const all = Array.from({ length: 30 }, (_, index) => first.batch(index, 7))
    const resumed = new Windows(positions(500), 10, { seed: 3 })
    for (const index of [29, 3, 17, 0, 6]) expect(resumed.batch(index, 7)).toEqual(all[index])
    const other = new Windows(positions(500), 10, { seed: 4 })
    expect(other.batch(0, 7)).not.toEqual(all[0])
  })

  it('lets batches flow across the ends of epochs', () => {
    const windows = new Windows(positions(100), 10, { seed: 1 })
    expect(windows.windowsPerEpoch).toBe(9)
    const flowing = [0, 1, 2].flatMap((index) => rows(windows.batch(index, 6).ids, 10).map((row) => row[0]))
    expect(flowing).toEqual([...epochStarts(windows, 0), ...epochStarts(windows, 1)])
  })

  it.each([
    [5, 4, 1],
    [8, 4, 1],
    [9, 4, 1],
    [12, 4, 2],
    [3, 1, 2],
    [2, 1, 1],
  ])('stays inside a text of %d tokens with windows of %d', (length, contextLength, count) => {
    const windows = new Windows(positions(length), contextLength, { seed: 5 })
    expect(windows.windowsPerEpoch).toBe(count)
    const last = Array.from({ length: 50 }, (_, index) => Number(windows.batch(index, 1).targets.at(-1)))
    expect(Math.max(...last)).toBe(length - 1)
    expect(Math.min(...last)).toBeGreaterThanOrEqual(contextLength)
  })

  it('refuses a text without one window', () => {
    const make = () => new Windows(positions(64), 64, { seed: 0 })
    expect(make).toThrow(DataError)
    expect(make).toThrow('has 64 tokens, a window needs 65')
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
    for (const batch of evaluationBatches(positions(length), contextLength, batchSize)) {
      expect(batch.ids).toHaveLength(batch.batch * batch.length)
      expect([...batch.targets]).toEqual([...batch.ids].map((id) => id + 1n))
      targets.push(...[...batch.targets].map(Number))
    }
    expect(targets).toEqual(Array.from({ length: length - 1 }, (_, i) => i + 1))
  })

  it('has one shape but at the end', () => {
    const shapes = [...evaluationBatches(positions(100), 8, 5)].map(({ batch, length }) => [batch, length])
    expect(shapes).toEqual([
      [5, 8],
      [5, 8],
      [2, 8],
      [1, 3],
    ]) // 99 targets = 12 windows of 8 and 3
  })

  it('refuses a text with nothing to predict', () => {
    expect(() => [...evaluationBatches(positions(1), 8, 4)]).toThrow('has 1 tokens, expected at least 2')
  })
})
