import { halfAt } from './quants.js'
import type { BlockReader } from './types.js'

/**
 * Superblocks of 256 weights, the "k-quants" of llama.cpp: groups of 32 (or 16) have scales of their own, which are
 * themselves multiples of the superblock's. Products are rounded to float32 where the reference does.
 */
const groups = 8

/** Number of weights in a group of {@link q4K} and {@link q5K}. */
const size = 32

/** d, the minima's d, scales and minima of 8 groups, 128 bytes of two weights with 4 bits. */
export const q4K: BlockReader = (bytes, start, target, at) => {
  for (let group = 0; group < groups; group++) {
    const { scale, minimum } = scaleOf(bytes, start, group)
    // Two groups share 32 bytes: the low halves are the even one's.
    const [from, shift] = [start + 16 + (group >> 1) * size, (group & 1) * 4]
    for (let i = 0; i < size; i++) {
      const q = (bytes[from + i] >> shift) & 15
      target[at + group * size + i] = Math.fround(scale * q) - minimum
    }
  }
}

/** The same with 32 bytes of fifth bits before the weights: bit g of byte i is that of weight i of group g. */
export const q5K: BlockReader = (bytes, start, target, at) => {
  for (let group = 0; group < groups; group++) {
    const { scale, minimum } = scaleOf(bytes, start, group)
    const [from, shift] = [start + 48 + (group >> 1) * size, (group & 1) * 4]
    for (let i = 0; i < size; i++) {
      const high = ((bytes[start + 16 + i] >> group) & 1) << 4
      const q = ((bytes[from + i] >> shift) & 15) | high
      target[at + group * size + i] = Math.fround(scale * q) - minimum
    }
  }
}

/** 128 bytes of two weights' low 4 bits, 64 of four weights' high 2, signed scales of 16 groups of 16, d. */
export const q6K: BlockReader = (bytes, start, target, at) => {
  const d = halfAt(bytes, start + 208)
  for (let i = 0; i < 256; i++) {
    // Each half of the superblock is four runs of 32: the runs share bytes, at other bits.
    const [part, run, place] = [i >> 7, (i >> 5) & 3, i & 31]
    const low = (bytes[start + part * 64 + (run & 1) * 32 + place] >> ((run >> 1) * 4)) & 15
    const high = (bytes[start + 128 + part * 32 + place] >> (run * 2)) & 3
    const scale = (bytes[start + 192 + (i >> 4)] << 24) >> 24
    target[at + i] = Math.fround(d * scale) * ((low | (high << 4)) - 32)
  }
}

/**
 * A group's scale and minimum, 6 bits each in 12 bytes behind the two d: those of the first four groups are the low 6 bits of
 * a byte each, those of the others have their low 4 bits in the last four bytes and the high 2 on top of the first ones'.
 */
function scaleOf(bytes: Uint8Array, start: number, group: number): { scale: number; minimum: number } {
  const [d, dMinimum] = [halfAt(bytes, start), halfAt(bytes, start + 2)]
  const packed = start + 4
  const [a, b] = [bytes[packed + (group & 3)], bytes[packed + 4 + (group & 3)]]
  if (group < 4) return { scale: Math.fround(d * (a & 63)), minimum: Math.fround(dMinimum * (b & 63)) }
  const low = bytes[packed + 4 + group]
  const [scale, minimum] = [(low & 15) | ((a >> 2) & 48), (low >> 4) | ((b >> 2) & 48)]
  return { scale: Math.fround(d * scale), minimum: Math.fround(dMinimum * minimum) }
}
