import { CheckpointError } from '../../errors.js'
import type { StoredTensor } from '../architecture.js'
import type { ByteSource } from './byte-source.js'
import type { GgufTensor } from './header.js'
import { ggmlTypes } from './types.js'

/** Bytes that are read and widened at once, about. */
const pieceLength = 1 << 22

/**
 * The values of a tensor, in pieces: the file's bytes are never held as a whole.
 *
 * @throws CheckpointError for a type that is not read
 */
export function readGgufTensor(source: ByteSource, tensor: GgufTensor): StoredTensor {
  const { name, shape, type, begin, bytes } = tensor
  if (type === undefined) {
    const known = [...ggmlTypes.values()].map(({ name }) => name).join(', ')
    throw new CheckpointError(
      `${source.where}: tensor '${name}' is of the type ${tensor.typeName}, which is not read; take a file of ${known}`,
    )
  }
  const { blockSize, blockBytes } = type
  const data = new Float32Array((bytes / blockBytes) * blockSize)
  const step = Math.max(1, Math.floor(pieceLength / blockBytes))
  const piece = new Uint8Array(Math.min(step * blockBytes, bytes))
  for (let done = 0; done < bytes; done += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, bytes - done))
    source.read(part, begin + done)
    const from = (done / blockBytes) * blockSize
    type.toFloat32(part, data.subarray(from, from + (part.length / blockBytes) * blockSize))
  }
  return { shape, data }
}
