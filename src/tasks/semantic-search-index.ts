import { existsSync } from 'node:fs'
import { UsageError } from '../errors.js'
import { readSafetensors, readSafetensorsHeader, writeFileAtomically } from '../hub/files.js'
import { serializeSafetensors } from '../hub/safetensors.js'

/** Vectors of texts, one after another, and what they were made of. */
export interface SearchIndex {
  /** [texts, width]. */
  readonly vectors: Float32Array
  readonly width: number
  /** A digest of the texts and of everything that made vectors of them. */
  readonly hash: string
}

/** What tells an index from other safetensors files. */
const kind = 'heddle-semantic-search'

const tensorName = 'embeddings'

/**
 * Reads an index that was written for the same texts and model.
 *
 * @param hash what the index must have been made of
 * @returns [texts, width]; undefined where there is no file, or one for other texts or another model
 * @throws UsageError where the file is no index and must not be replaced; CheckpointError where it is damaged
 */
export function readIndex(path: string, hash: string): Float32Array | undefined {
  if (!existsSync(path)) return undefined
  const { metadata } = readSafetensorsHeader(path)
  if (metadata.kind !== kind) {
    throw new UsageError(`${path}: this file holds something else than a search index; choose another name`)
  }
  if (metadata.hash !== hash) return undefined
  return readSafetensors(path).get(tensorName)?.data
}

/** Writes an index, whole or not at all. @throws HeddleError where the system refuses */
export function writeIndex(path: string, { vectors, width, hash }: SearchIndex): void {
  const shape = [vectors.length / width, width]
  const tensors = [{ name: tensorName, dtype: 'F32' as const, shape, data: vectors }]
  writeFileAtomically(path, serializeSafetensors(tensors, { format: 'pt', kind, hash }))
}
