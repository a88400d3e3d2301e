let halfTable: Float32Array | undefined

/**
 * Widens IEEE 754 half-precision numbers (binary16: 1 sign, 5 exponent, 10 fraction bits) to float32, exactly.
 *
 * @param halves the bit patterns
 */
export function halfToFloat32(halves: Uint16Array): Float32Array {
  const values = halfValues()
  const result = new Float32Array(halves.length)
  for (let i = 0; i < halves.length; i++) result[i] = values[halves[i]]
  return result
}

/** The values of all 65,536 half-precision bit patterns, which makes a conversion one look-up. */
export function halfValues(): Float32Array {
  halfTable ??= Float32Array.from({ length: 65_536 }, (_, bits) => decodeHalf(bits))
  return halfTable
}

/**
 * Widens bfloat16 numbers (the upper half of a float32) to float32, exactly.
 *
 * @param halves the bit patterns
 */
export function bfloat16ToFloat32(halves: Uint16Array): Float32Array {
  const result = new Float32Array(halves.length)
  const bits = new Uint32Array(result.buffer)
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16
  return result
}

function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = (bits & 0x3ff) / 1024
  if (exponent === 0) return sign * fraction * 2 ** -14
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction) * 2 ** (exponent - 15)
}
