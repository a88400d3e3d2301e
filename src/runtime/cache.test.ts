import { describe, expect, it } from 'vitest'
import { constant, type Tensor } from '../graph/index.js'
import { ProgramCache } from './cache.js'
import { compile, type Program } from './program.js'

type Constant = { value: Tensor }

/** Builds programs that output a number, and tells which were built and freed. */
function recorder() {
  const built: number[] = []
  const freed: number[] = []
  const build = (value: number) => async (): Promise<Program<Constant>> => {
    built.push(value)
    const program = await compile({ outputs: { value: constant([value], [1]) } })
    const dispose = program.dispose.bind(program)
    program.dispose = async () => {
      freed.push(value)
      await dispose()
    }
    return program
  }
  return { built, freed, build }
}

describe('ProgramCache', () => {
  it('frees the least recently used program when it is full, and only that', async () => {
    const { built, freed, build } = recorder()
    const cache = new ProgramCache<Constant>(2)
    await cache.get('1', build(1))
    await cache.get('2', build(2))
    await cache.get('1', build(1))
    const third = await cache.get('3', build(3))
    expect(built).toEqual([1, 2, 3])
    expect(freed).toEqual([2])
    expect((await third.run()).value.data).toEqual(Float32Array.of(3))
    await cache.get('2', build(2))
    expect(built).toEqual([1, 2, 3, 2])
    expect(freed).toEqual([2, 1])
    cache.dispose()
    await Promise.resolve()
    expect(freed).toEqual([2, 1, 3, 2])
  })

  it('compiles again after a failure', async () => {
    const { build } = recorder()
    const cache = new ProgramCache<Constant>()
    await expect(cache.get('1', () => Promise.reject(new Error('refused')))).rejects.toThrow('refused')
    const program = await cache.get('1', build(1))
    expect((await program.run()).value.data).toEqual(Float32Array.of(1))
    cache.dispose()
  })

  it('keeps a program whose predecessor fails late', async () => {
    const { freed, build } = recorder()
    const cache = new ProgramCache<Constant>(1)
    let fail = (_reason: Error): void => {}
    const late = cache.get('1', () => new Promise((_resolve, reject) => (fail = reject)))
    await cache.get('2', build(2))
    const program = await cache.get('1', build(1))
    fail(new Error('refused'))
    await expect(late).rejects.toThrow('refused')
    expect(await cache.get('1', build(3))).toBe(program)
    expect(freed).toEqual([2])
    cache.dispose()
  })

  it('gives two callers at once the same program', async () => {
    const { built, build } = recorder()
    const cache = new ProgramCache<Constant>()
    const [first, second] = await Promise.all([cache.get('1', build(1)), cache.get('1', build(1))])
    expect(first).toBe(second)
    expect(built).toEqual([1])
    cache.dispose()
  })
})
