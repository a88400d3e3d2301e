import { ConfigError } from '../errors.js'
import { type Constant, constant } from '../graph/index.js'

/**
 * Sinusoidal position encodings (Vaswani et al. 2017, §3.5):
 * PE(pos, 2i) = sin(pos/10000^(2i/C)), PE(pos, 2i+1) = cos(pos/10000^(2i/C)).
 *
 * @param length number of positions
 * @param width C, even
 * @returns a constant [length, C] to add to embeddings
 */
export function sinusoidalPositions(length: number, width: number): Constant {
  if (width % 2 !== 0) throw new ConfigError(`sinusoidal positions: the width ${width} must be even`)
  const table = new Float32Array(length * width)
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < width; i += 2) {
      const angle = position / 10000 ** (i / width)
      table[position * width + i] = Math.sin(angle)
      table[position * width + i + 1] = Math.cos(angle)
    }
  }
  return constant(table, [length, width])
}
