import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { DataError } from '../errors.js'
import { removeQuietly, syncFolder, writeFully } from '../hub/files.js'
import { BlockReader, readRange } from './block-reader.js'
import { checkRange, MemoryTokenStore, type TokenIds, type TokenStore } from './token-store.js'

/**
 * A token file, little-endian: a header of 64 bytes; the tokens, 2 or 4 bytes each; zeros to a multiple of 8; then where
 * each document begins and the number of tokens, as float64.
 *
 * The header: `heddleTK`, uint32 version, uint32 bytes of a token, float64 tokens, float64 documents, uint32 CRC-32 of
 * everything behind the header, uint32 CRC-32 of the header before this number, zeros.
 */
interface Header {
  readonly bytesPerToken: 2 | 4
  readonly tokens: number
  readonly documents: number
  readonly checksum: number
}

const headerLength = 64
const checkedHeaderLength = 36
const magic = 'heddleTK'
const version = 1
const bufferLength = 2 ** 20

/** What takes tokens in, document after document. */
export interface TokenSink {
  add(ids: Uint32Array): void
  /** Ends a document; one without tokens does not count. */
  endDocument(): void
}

/** Writes a token file aside and puts it in its place when it is whole. */
export class TokenFileWriter implements TokenSink {
  readonly #path: string
  readonly #aside: string
  readonly #bytesPerToken: 2 | 4
  readonly #tokens: BufferedWriter
  /** Starts of documents, which are not kept in memory: there can be as many as lines in the data. */
  readonly #starts: BufferedWriter
  #length = 0
  #documents = 0
  #start = 0

  /**
   * @param path the file to make
   * @param aside a name in the same folder that nobody else uses
   * @param vocabularySize ids are below it
   */
  constructor(path: string, aside: string, vocabularySize: number) {
    this.#path = path
    this.#aside = aside
    this.#bytesPerToken = vocabularySize <= 2 ** 16 ? 2 : 4
    this.#tokens = new BufferedWriter(aside)
    this.#starts = new BufferedWriter(`${aside}.starts`)
    this.#tokens.writeUnchecked(new Uint8Array(headerLength))
  }

  add(ids: Uint32Array): void {
    this.#tokens.write(this.#bytesPerToken === 2 ? Uint16Array.from(ids) : ids)
    this.#length += ids.length
  }

  endDocument(): void {
    if (this.#length === this.#start) return
    this.#starts.write(Float64Array.of(this.#start))
    this.#documents++
    this.#start = this.#length
  }

  /** Completes the file: on the disk, under its name. */
  finish(): void {
    this.endDocument()
    this.#starts.write(Float64Array.of(this.#length))
    this.#tokens.write(new Uint8Array(-(this.#length * this.#bytesPerToken) & 7))
    for (const bytes of this.#starts.readBack()) this.#tokens.write(bytes)
    this.#starts.close()
    removeQuietly(`${this.#aside}.starts`)
    const { checksum, file } = this.#tokens.flushed()
    const header = { bytesPerToken: this.#bytesPerToken, tokens: this.#length, documents: this.#documents, checksum }
    writeSync(file, headerBytes(header), 0, headerLength, 0)
    fsyncSync(file)
    this.#tokens.close()
    renameSync(this.#aside, this.#path)
    syncFolder(dirname(this.#path))
  }

  /** Removes what was written so far. */
  discard(): void {
    for (const writer of [this.#tokens, this.#starts]) writer.close()
    for (const path of [this.#aside, `${this.#aside}.starts`]) removeQuietly(path)
  }
}

/** A file that is written from its start on, in large steps, with a CRC-32 of what was written. */
class BufferedWriter {
  readonly #file: number
  readonly #buffer = new Uint8Array(bufferLength)
  #used = 0
  #written = 0
  #checksum = 0
  #isOpen = true

  constructor(path: string) {
    this.#file = openSync(path, 'wx+')
  }

  write(data: ArrayBufferView): void {
    let bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    while (bytes.length > 0) {
      const count = Math.min(bytes.length, bufferLength - this.#used)
      this.#buffer.set(bytes.subarray(0, count), this.#used)
      this.#used += count
      bytes = bytes.subarray(count)
      if (this.#used === bufferLength) this.#flush()
    }
  }

  /** Writes bytes that the checksum leaves out. */
  writeUnchecked(bytes: Uint8Array): void {
    writeFully(this.#file, bytes)
  }

  flushed(): { file: number; checksum: number } {
    this.#flush()
    return { file: this.#file, checksum: this.#checksum }
  }

  *readBack(): Generator<Uint8Array> {
    this.#flush()
    for (let position = 0; position < this.#written; position += bufferLength) {
      yield readRange(this.#file, position, Math.min(bufferLength, this.#written - position))
    }
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#file)
    this.#isOpen = false
  }

  #flush(): void {
    const bytes = this.#buffer.subarray(0, this.#used)
    writeFully(this.#file, bytes)
    this.#checksum = crc32(bytes, this.#checksum)
    this.#written += this.#used
    this.#used = 0
  }
}

/**
 * Opens a token file and checks every byte of it.
 *
 * @param memoryLimit files of at most this many bytes are read into memory
 * @returns undefined where there is none, or it is damaged or cut short
 */
export function openTokenFile(path: string, memoryLimit: number): TokenStore | undefined {
  const file = openExisting(path)
  if (file === undefined) return undefined
  let store: TokenStore | undefined
  try {
    store = checkedStore(file, path, memoryLimit)
  } catch (error) {
    if (!(error instanceof DataError)) throw error
  } finally {
    if (!(store instanceof FileTokenStore)) closeSync(file)
  }
  return store
}

function openExisting(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** @throws DataError where the file is damaged */
function checkedStore(file: number, path: string, memoryLimit: number): TokenStore {
  const header = parseHeader(readRange(file, 0, headerLength), path)
  const { tokens, documents, bytesPerToken } = header
  const length = startsOffset(header) - headerLength + (documents + 1) * 8
  const inMemory = length <= memoryLimit
  const content = new Uint8Array(inMemory ? length : bufferLength)
  let checksum = 0
  for (let done = 0; done < length; ) {
    const count = Math.min(bufferLength, length - done)
    const at = inMemory ? done : 0
    const bytes = readRange(file, headerLength + done, count, content.subarray(at, at + count))
    checksum = crc32(bytes, checksum)
    done += count
  }
  if (checksum !== header.checksum) throw new DataError(`${path}: the checksum of the tokens is wrong`)
  if (!inMemory) return new FileTokenStore(file, path, header)
  const starts = new Float64Array(content.buffer, startsOffset(header) - headerLength, documents + 1)
  return new MemoryTokenStore(idsOf(content.subarray(0, tokens * bytesPerToken), bytesPerToken), starts)
}

/** Tokens that stay in their file. */
class FileTokenStore implements TokenStore {
  readonly length: number
  readonly documents: number
  readonly #header: Header
  readonly #reader: BlockReader

  constructor(file: number, path: string, header: Header) {
    this.length = header.tokens
    this.documents = header.documents
    this.#header = header
    this.#reader = new BlockReader(file, path)
  }

  read(start: number, count: number): TokenIds {
    checkRange({ what: 'tokens', start, count, length: this.length })
    const { bytesPerToken } = this.#header
    return idsOf(this.#reader.read(headerLength + start * bytesPerToken, count * bytesPerToken), bytesPerToken)
  }

  documentStarts(first: number, count: number): Float64Array {
    checkRange({ what: 'documents', start: first, count, length: this.documents + 1 })
    const bytes = this.#reader.read(startsOffset(this.#header) + first * 8, count * 8)
    return new Float64Array(bytes.buffer, bytes.byteOffset, count)
  }

  close(): void {
    this.#reader.close()
  }
}

function idsOf(bytes: Uint8Array<ArrayBuffer>, bytesPerToken: 2 | 4): TokenIds {
  const Ids = bytesPerToken === 2 ? Uint16Array : Uint32Array
  return new Ids(bytes.buffer, bytes.byteOffset, bytes.length / bytesPerToken)
}

function startsOffset({ tokens, bytesPerToken }: Header): number {
  return headerLength + Math.ceil((tokens * bytesPerToken) / 8) * 8
}

function headerBytes({ bytesPerToken, tokens, documents, checksum }: Header): Uint8Array {
  const bytes = Buffer.alloc(headerLength)
  bytes.write(magic, 0, 'latin1')
  bytes.writeUInt32LE(version, 8)
  bytes.writeUInt32LE(bytesPerToken, 12)
  bytes.writeDoubleLE(tokens, 16)
  bytes.writeDoubleLE(documents, 24)
  bytes.writeUInt32LE(checksum, 32)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, checkedHeaderLength)), checkedHeaderLength)
  return bytes
}

function parseHeader(array: Uint8Array, path: string): Header {
  const bytes = Buffer.from(array.buffer, array.byteOffset, array.length)
  const isWhole = bytes.readUInt32LE(checkedHeaderLength) === crc32(bytes.subarray(0, checkedHeaderLength))
  const bytesPerToken = bytes.readUInt32LE(12)
  const isOurs = bytes.toString('latin1', 0, 8) === magic && bytes.readUInt32LE(8) === version
  if (!isWhole || !isOurs || (bytesPerToken !== 2 && bytesPerToken !== 4)) {
    throw new DataError(`${path}: not a token file of version ${version}`)
  }
  return {
    bytesPerToken,
    tokens: bytes.readDoubleLE(16),
    documents: bytes.readDoubleLE(24),
    checksum: bytes.readUInt32LE(32),
  }
}
