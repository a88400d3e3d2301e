import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { CheckpointError, HeddleError } from '../../errors.js'
import { readProblem } from '../files.js'

/** Bytes that are read in pieces, from anywhere. */
export interface ByteSource {
  /** How many there are. */
  readonly length: number
  /** What to call it in errors, usually its path. */
  readonly where: string
  /** Fills `bytes` from a position on. @throws CheckpointError where the source ends before */
  read(bytes: Uint8Array, position: number): void
}

/** A source that is in memory already. */
export function memorySource(content: Uint8Array, where: string): ByteSource {
  return {
    length: content.length,
    where,
    read: (bytes, position) => bytes.set(content.subarray(position, position + bytes.length)),
  }
}

/**
 * Opens a file for as long as a function uses it.
 *
 * @throws CheckpointError where it is missing or cannot be read
 */
export function withFileSource<Result>(path: string, use: (source: ByteSource) => Result): Result {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    return use(fileSource(file, path))
  } catch (error) {
    if (error instanceof HeddleError) throw error
    throw new CheckpointError(`cannot read ${path}: ${readProblem(error)}`, { cause: error })
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function fileSource(file: number, where: string): ByteSource {
  return {
    length: fstatSync(file).size,
    where,
    read(bytes, position) {
      for (let done = 0; done < bytes.length; ) {
        const count = readSync(file, bytes, done, bytes.length - done, position + done)
        if (count === 0) throw new CheckpointError(`${where}: ended at byte ${position + done} while it was read`)
        done += count
      }
    },
  }
}
