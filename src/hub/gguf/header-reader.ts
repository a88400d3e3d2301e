import { CheckpointError } from '../../errors.js'
import type { ByteSource } from './byte-source.js'

/** Bytes that are read from a source at once. */
const pieceLength = 1 << 20

/** The longest header that is read, a guard against damaged files: vocabularies of real ones take some 10 MB. */
const maximumHeader = 1 << 27

/** Reads little-endian numbers and texts one after another. Nothing is allocated for a length that the file does not have. */
export class HeaderReader {
  readonly #source: ByteSource
  readonly #end: number
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #piece = new Uint8Array(0)
  #pieceStart = 0
  #position = 0

  constructor(source: ByteSource) {
    this.#source = source
    this.#end = Math.min(source.length, maximumHeader)
  }

  /** Position of the next byte. */
  get position(): number {
    return this.#position
  }

  /** How many bytes may follow. */
  get left(): number {
    return this.#end - this.#position
  }

  /** The next bytes, as a view that is valid until the next call. @throws CheckpointError where the header ends before */
  bytes(count: number): Uint8Array {
    if (count > this.left) {
      const { length, where } = this.#source
      const problem = length > maximumHeader ? 'which is longer than any header' : 'it is cut short or damaged'
      throw new CheckpointError(
        `${where}: expected ${count} bytes at ${this.#position}, ${this.left} of ${length} are left; ${problem}`,
      )
    }
    let offset = this.#position - this.#pieceStart
    if (offset + count > this.#piece.length) {
      this.#piece = new Uint8Array(Math.min(Math.max(count, pieceLength), this.left))
      this.#source.read(this.#piece, this.#position)
      this.#pieceStart = this.#position
      offset = 0
    }
    this.#position += count
    return this.#piece.subarray(offset, offset + count)
  }

  /** {@link bytes} to take numbers from. */
  view(count: number): DataView {
    const { buffer, byteOffset } = this.bytes(count)
    return new DataView(buffer, byteOffset, count)
  }

  /** A number of 32 bits without a sign. */
  uint32(): number {
    return this.view(4).getUint32(0, true)
  }

  /** A length or position of 64 bits. @throws CheckpointError where it is beyond any file */
  length(what: string): number {
    const value = Number(this.view(8).getBigUint64(0, true))
    if (Number.isSafeInteger(value)) return value
    throw new CheckpointError(`${this.#source.where}: ${what} is ${value}; the file is damaged`)
  }

  /** A text in UTF-8 behind its length in bytes. */
  text(): string {
    return this.#decoder.decode(this.bytes(this.length('the length of a text')))
  }
}
