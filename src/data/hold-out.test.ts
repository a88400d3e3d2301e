import { describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { splitByKey } from './hold-out.js'

const shares = [0.9, 0.05, 0.05]
const keyOf = ({ key }: { key: string }) => key

/** Examples of 400 keys, some of which have several. */
const examples = Array.from({ length: 1000 }, (_, i) => ({ key: `k${(i * 37) % 400}`, id: i }))

describe('splitByKey', () => {
  it('gives every key to one part, by the shares, and keeps the order', () => {
    const parts = splitByKey(examples, { shares, seed: 3, keyOf })
    const keys = parts.map((part) => new Set(part.map(keyOf)))
    expect(keys.map(({ size }) => size)).toEqual([360, 20, 20])
    expect(new Set(parts.flatMap((part) => part.map(keyOf))).size).toBe(400)
    expect(parts.flat().length).toBe(1000)
    for (const part of parts) expect(part).toEqual([...part].sort((a, b) => a.id - b.id))
  })

  it('is the same for the same seed, and another for another', () => {
    const split = (seed: number) => splitByKey(examples, { shares, seed, keyOf })
    expect(split(3)).toEqual(split(3))
    expect(split(4)[2]).not.toEqual(split(3)[2])
    expect(split(3)[0].slice(0, 20)).not.toEqual(examples.slice(0, 20))
  })

  it('gives every part something, where there is enough', () => {
    const few = ['a', 'b', 'c'].map((key) => ({ key }))
    expect(splitByKey(few, { shares, seed: 0, keyOf }).map(({ length }) => length)).toEqual([1, 1, 1])
    expect(() => splitByKey(few.slice(1), { shares, seed: 0, keyOf })).toThrow(DataError)
  })
})
