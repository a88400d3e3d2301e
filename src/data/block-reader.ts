import { closeSync, readSync } from 'node:fs'
import { LRUCache } from 'lru-cache'
import { DataError } from '../errors.js'

const blockLength = 2 ** 16
const blocksInMemory = 64

/** Reads a file by position in blocks of 64 KiB, of which the 64 used last stay in memory. */
export class BlockReader {
  readonly #file: number
  readonly #path: string
  readonly #blocks = new LRUCache<number, Uint8Array>({ max: blocksInMemory })
  #isOpen = true

  /**
   * @param file an open file, which is closed with the reader
   * @param path its name, for messages
   */
  constructor(file: number, path: string) {
    this.#file = file
    this.#path = path
  }

  /**
   * A copy of some bytes.
   *
   * @throws DataError where the file has become shorter, or the reader is closed
   */
  read(position: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length; ) {
      const index = Math.floor((position + done) / blockLength)
      const part = this.#block(index).subarray(position + done - index * blockLength)
      if (part.length === 0) throw new DataError(`${this.#path}: ended at byte ${position + done} while it was read`)
      const count = Math.min(part.length, length - done)
      bytes.set(part.subarray(0, count), done)
      done += count
    }
    return bytes
  }

  /** Closes the file. */
  close(): void {
    if (this.#isOpen) closeSync(this.#file)
    this.#isOpen = false
    this.#blocks.clear()
  }

  #block(index: number): Uint8Array {
    const known = this.#blocks.get(index)
    if (known !== undefined) return known
    if (!this.#isOpen) throw new DataError(`${this.#path}: read after it was closed`)
    const bytes = new Uint8Array(blockLength)
    const block = bytes.subarray(0, readAvailable(this.#file, bytes, index * blockLength))
    this.#blocks.set(index, block)
    return block
  }
}

/**
 * Some bytes of an open file.
 *
 * @param into where to put them; by default new memory
 * @throws DataError where the file ends before
 */
export function readRange(
  file: number,
  position: number,
  length: number,
  into: Uint8Array = new Uint8Array(length),
): Uint8Array {
  const count = readAvailable(file, into, position)
  if (count === length) return into
  throw new DataError(`expected ${length} bytes at ${position} of a file that ends after ${position + count}`)
}

/** Fills an array from a position on as far as the file goes; returns how many bytes it did. */
function readAvailable(file: number, into: Uint8Array, position: number): number {
  let done = 0
  while (done < into.length) {
    const count = readSync(file, into, done, into.length - done, position + done)
    if (count === 0) break
    done += count
  }
  return done
}
