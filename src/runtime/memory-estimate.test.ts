import { describe, expect, it } from 'vitest'
import { gradients } from '../autodiff/index.js'
import { filled, input, Parameter } from '../graph/index.js'
import { estimateMemory } from './memory-estimate.js'

const sizes = new Map([['batch', 10]])

describe('estimateMemory', () => {
  it('counts a chain by its two neighbours, and inputs until they are read', () => {
    const x = input('x', 'float32', ['batch', 100]) // 4000 bytes
    const y = x.exp().exp().exp()
    expect(estimateMemory({ y }, sizes)).toBe(8000)
  })

  it('keeps what is read again later', () => {
    const x = input('x', 'float32', ['batch', 100])
    const first = x.exp()
    const y = first.exp().exp().add(first)
    // At the sum: its two operands and its result.
    expect(estimateMemory({ y }, sizes)).toBe(12_000)
  })

  it('counts another shape of the same memory once', () => {
    const x = input('x', 'float32', ['batch', 100])
    const y = x.exp().reshape([-1]).exp()
    expect(estimateMemory({ y }, sizes)).toBe(8000)
  })

  it('holds what the backward pass needs, and leaves parameters out', () => {
    const weight = new Parameter([100, 100], filled(0))
    let x = input('x', 'float32', ['batch', 100]).matmul(weight)
    const forward = estimateMemory({ y: x.exp().exp().exp().exp().sum() }, sizes)
    for (let i = 0; i < 4; i++) x = x.exp()
    const loss = x.sum()
    // Four results of exp are kept, since each is its own derivative; the weight's gradient is 40,000 bytes.
    expect(forward).toBe(8000)
    expect(estimateMemory({ loss, ...gradients(loss, { weight }) }, sizes)).toBeGreaterThanOrEqual(40_000)
  })
})
