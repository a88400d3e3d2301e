import { bfloat16ToFloat32, halfToFloat32 } from '../float16.js'
import { q4K, q5K, q6K } from './k-quants.js'
import { q4_0, q4_1, q5_0, q5_1, q8_0 } from './quants.js'

/** How the elements of a tensor are stored: in blocks of some of them, each of so many bytes. */
export interface GgmlType {
  readonly name: string
  readonly blockSize: number
  readonly blockBytes: number
  /** Widens whole blocks. `bytes` begins at an even position of its buffer. */
  toFloat32(bytes: Uint8Array, target: Float32Array): void
}

/** Widens the block that begins at a position of `bytes` to the elements from another position of `target` on. */
export type BlockReader = (bytes: Uint8Array, start: number, target: Float32Array, at: number) => void

/** The types that are read, by GGML's numbers of types. */
export const ggmlTypes: ReadonlyMap<number, GgmlType> = new Map([
  [
    0,
    plain(
      'F32',
      4,
      ({ buffer, byteOffset, length }) => new Float32Array(buffer.slice(byteOffset, byteOffset + length)),
    ),
  ],
  [1, plain('F16', 2, (bytes) => halfToFloat32(halvesOf(bytes)))],
  [30, plain('BF16', 2, (bytes) => bfloat16ToFloat32(halvesOf(bytes)))],
  [2, blocks('Q4_0', 32, 18, q4_0)],
  [3, blocks('Q4_1', 32, 20, q4_1)],
  [6, blocks('Q5_0', 32, 22, q5_0)],
  [7, blocks('Q5_1', 32, 24, q5_1)],
  [8, blocks('Q8_0', 32, 34, q8_0)],
  [12, blocks('Q4_K', 256, 144, q4K)],
  [13, blocks('Q5_K', 256, 176, q5K)],
  [14, blocks('Q6_K', 256, 210, q6K)],
])

/** Types that exist but are not read, for messages. */
const otherNames: Readonly<Record<number, string>> = {
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
}

/** What a type is called. */
export function typeName(id: number): string {
  return ggmlTypes.get(id)?.name ?? otherNames[id] ?? `number ${id}`
}

function plain(name: string, blockBytes: number, widen: (bytes: Uint8Array) => Float32Array): GgmlType {
  return { name, blockSize: 1, blockBytes, toFloat32: (bytes, target) => target.set(widen(bytes)) }
}

function blocks(name: string, blockSize: number, blockBytes: number, read: BlockReader): GgmlType {
  return {
    name,
    blockSize,
    blockBytes,
    toFloat32(bytes, target) {
      for (let block = 0; block * blockSize < target.length; block++) {
        read(bytes, block * blockBytes, target, block * blockSize)
      }
    },
  }
}

function halvesOf({ buffer, byteOffset, length }: Uint8Array): Uint16Array {
  return new Uint16Array(buffer, byteOffset, length / 2)
}
