const MULTIPLIER_0 = 0xd2511f53
const MULTIPLIER_1 = 0xcd9e8d57
const WEYL_0 = 0x9e3779b9
const WEYL_1 = 0xbb67ae85

/**
 * Fills n bytes with a dropout mask: 1 keeps an element, 0 drops it.
 *
 * Element i is decided by half-word i mod 8 (the low half of each word first) of Philox4x32-10 block ⌊i / 8⌋, whose
 * counter is (block, 0, stepLow, stepHigh): it is kept where half-word ≥ threshold, 0 ≤ threshold ≤ 65535.
 *
 * Four blocks are computed at a time, one in each lane, so a turn of the loop makes 32 elements.
 */
export function dropoutMask(
  out: usize,
  n: u32,
  threshold: u32,
  key0: u32,
  key1: u32,
  stepLow: u32,
  stepHigh: u32,
): void {
  const thresholds = i16x8.splat(<i16>threshold)
  const one = i8x16.splat(1)
  let left = n
  for (let block: u32 = 0; left > 0; block += 4) {
    let c0 = i32x4.add(i32x4.splat(block), i32x4(0, 1, 2, 3))
    let c1 = i32x4.splat(0)
    let c2 = i32x4.splat(stepLow)
    let c3 = i32x4.splat(stepHigh)
    let k0 = key0
    let k1 = key1
    for (let round = 0; round < 10; round++) {
      // 64-bit products of lanes 0, 1 (a) and of lanes 2, 3 (b): the even words are low halves, the odd ones high.
      const a0 = i64x2.extmul_low_i32x4_u(c0, i32x4.splat(MULTIPLIER_0))
      const b0 = i64x2.extmul_high_i32x4_u(c0, i32x4.splat(MULTIPLIER_0))
      const a1 = i64x2.extmul_low_i32x4_u(c2, i32x4.splat(MULTIPLIER_1))
      const b1 = i64x2.extmul_high_i32x4_u(c2, i32x4.splat(MULTIPLIER_1))
      c0 = v128.xor(v128.xor(v128.shuffle<i32>(a1, b1, 1, 3, 5, 7), c1), i32x4.splat(k0))
      c2 = v128.xor(v128.xor(v128.shuffle<i32>(a0, b0, 1, 3, 5, 7), c3), i32x4.splat(k1))
      c1 = v128.shuffle<i32>(a1, b1, 0, 2, 4, 6)
      c3 = v128.shuffle<i32>(a0, b0, 0, 2, 4, 6)
      k0 += WEYL_0
      k1 += WEYL_1
    }
    // From word by word to block by block: the eight half-words of one block are then the lanes of one vector.
    const low01 = v128.shuffle<i32>(c0, c1, 0, 4, 1, 5)
    const low23 = v128.shuffle<i32>(c2, c3, 0, 4, 1, 5)
    const high01 = v128.shuffle<i32>(c0, c1, 2, 6, 3, 7)
    const high23 = v128.shuffle<i32>(c2, c3, 2, 6, 3, 7)
    const kept0 = i16x8.ge_u(v128.shuffle<i64>(low01, low23, 0, 2), thresholds)
    const kept1 = i16x8.ge_u(v128.shuffle<i64>(low01, low23, 1, 3), thresholds)
    const kept2 = i16x8.ge_u(v128.shuffle<i64>(high01, high23, 0, 2), thresholds)
    const kept3 = i16x8.ge_u(v128.shuffle<i64>(high01, high23, 1, 3), thresholds)
    const first = i8x16.narrow_i16x8_s(kept0, kept1)
    const second = i8x16.narrow_i16x8_s(kept2, kept3)
    if (left < 32) {
      let bits = <u32>i8x16.bitmask(first) | (<u32>i8x16.bitmask(second) << 16)
      for (; left > 0; left--, out++, bits >>= 1) store<u8>(out, <u8>(bits & 1))
      return
    }
    v128.store(out, v128.and(first, one))
    v128.store(out, v128.and(second, one), 16)
    out += 32
    left -= 32
  }
}
