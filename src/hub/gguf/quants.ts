import { halfValues } from '../float16.js'
import type { BlockReader } from './types.js'

/**
 * Blocks of 32 weights with a scale d each, and some with a minimum m: w = d·q (types `_0`, q around 0) or w = d·q + m
 * (types `_1`). The first 16 weights are in the low halves of the bytes, the others in the high ones. Products are rounded to
 * float32 before the sum, as the reference does.
 */
const half = 16

/** d, 16 bytes of two weights with 4 bits. */
export const q4_0: BlockReader = (bytes, start, target, at) => {
  const d = halfAt(bytes, start)
  for (let i = 0; i < half; i++) {
    const pair = bytes[start + 2 + i]
    target[at + i] = d * ((pair & 15) - 8)
    target[at + half + i] = d * ((pair >> 4) - 8)
  }
}

/** d, m, 16 bytes of two weights with 4 bits. */
export const q4_1: BlockReader = (bytes, start, target, at) => {
  const [d, m] = [halfAt(bytes, start), halfAt(bytes, start + 2)]
  for (let i = 0; i < half; i++) {
    const pair = bytes[start + 4 + i]
    target[at + i] = Math.fround(d * (pair & 15)) + m
    target[at + half + i] = Math.fround(d * (pair >> 4)) + m
  }
}

/** d, the fifth bits of all weights, 16 bytes of two weights' other 4 bits. */
export const q5_0: BlockReader = (bytes, start, target, at) => {
  const d = halfAt(bytes, start)
  for (let i = 0; i < half; i++) {
    const pair = bytes[start + 6 + i]
    target[at + i] = d * (((pair & 15) | fifthBit(bytes, start + 2, i)) - 16)
    target[at + half + i] = d * (((pair >> 4) | fifthBit(bytes, start + 2, half + i)) - 16)
  }
}

/** d, m, the fifth bits of all weights, 16 bytes of two weights' other 4 bits. */
export const q5_1: BlockReader = (bytes, start, target, at) => {
  const [d, m] = [halfAt(bytes, start), halfAt(bytes, start + 2)]
  for (let i = 0; i < half; i++) {
    const pair = bytes[start + 8 + i]
    target[at + i] = Math.fround(d * ((pair & 15) | fifthBit(bytes, start + 4, i))) + m
    target[at + half + i] = Math.fround(d * ((pair >> 4) | fifthBit(bytes, start + 4, half + i))) + m
  }
}

/** d, 32 weights with 8 bits and a sign. */
export const q8_0: BlockReader = (bytes, start, target, at) => {
  const d = halfAt(bytes, start)
  for (let i = 0; i < 2 * half; i++) target[at + i] = d * ((bytes[start + 2 + i] << 24) >> 24)
}

/** The half-precision number at a position. */
export function halfAt(bytes: Uint8Array, position: number): number {
  return halfValues()[bytes[position] | (bytes[position + 1] << 8)]
}

/** 16 where the bit of a weight is set among those that begin at a position. */
function fifthBit(bytes: Uint8Array, start: number, weight: number): number {
  return ((bytes[start + (weight >> 3)] >> (weight & 7)) & 1) << 4
}
