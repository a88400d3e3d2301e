import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bfloat16ToFloat32, halfToFloat32 } from './float16.js'

describe('halfToFloat32', () => {
  it('agrees with NumPy on all 65,536 bit patterns', () => {
    const values = halfToFloat32(Uint16Array.from({ length: 65_536 }, (_, bits) => bits))
    expect(values.filter(Number.isNaN).length).toBe(2 * 1023)
    // a = arange(65536, uint16).view(float16).astype(float32); sha256(where(isnan(a), 0, a).tobytes())
    const digest = createHash('sha256').update(values.map((value) => (Number.isNaN(value) ? 0 : value)))
    expect(digest.digest('hex')).toBe('faa6d965574036872b0d39a42d1f8bee361d5be92b1e718155a69556a5abacdd')
  })
})

describe('bfloat16ToFloat32', () => {
  it('puts the bits into the upper half of a float32', () => {
    const values = bfloat16ToFloat32(Uint16Array.of(0x3f80, 0xc040, 0x8000, 0x7f80, 0x0001))
    expect([...values]).toEqual([1, -3, -0, Number.POSITIVE_INFINITY, 2 ** -133])
  })
})
