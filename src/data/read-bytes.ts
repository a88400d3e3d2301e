import { createReadStream } from 'node:fs'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { DataError } from '../errors.js'
import { readProblem } from '../hub/files.js'

/** Bytes that are read from the disk at a time. */
const chunkSize = 2 ** 18

/** Called with the bytes of a file, as it lies on the disk, that were read since the last call. */
export type OnBytes = (count: number) => void

/**
 * The content of a file in chunks, decompressed where it begins as a gzip file does (whatever its name).
 *
 * @throws DataError where the file cannot be read, or the compressed data is damaged or ends too early
 */
export async function* readBytes(path: string, onBytes?: OnBytes): AsyncGenerator<Buffer, void, undefined> {
  const isCompressed = await isGzip(path)
  try {
    yield* openStream(path, isCompressed, onBytes)
  } catch (error) {
    if (isZlibError(error)) {
      throw new DataError(`${path}: the gzip data is damaged or cut short (${error.message})`, { cause: error })
    }
    throw cannotRead(path, error)
  }
}

/**
 * The first bytes of a file's content, decompressed where it is compressed.
 *
 * @param count how many at most
 * @throws DataError where the file cannot be read
 */
export async function firstBytes(path: string, count: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  for await (const chunk of readBytes(path)) {
    parts.push(chunk)
    length += chunk.length
    if (length >= count) break
  }
  return Buffer.concat(parts).subarray(0, count)
}

/**
 * Whether a file begins as gzip data does.
 *
 * @throws DataError where the file cannot be read
 */
export async function isGzip(path: string): Promise<boolean> {
  try {
    for await (const start of createReadStream(path, { start: 0, end: 1 })) {
      return start[0] === 0x1f && start[1] === 0x8b
    }
    return false
  } catch (error) {
    throw cannotRead(path, error)
  }
}

async function* openStream(
  path: string,
  isCompressed: boolean,
  onBytes: OnBytes = () => {},
): AsyncGenerator<Buffer, void, undefined> {
  const file = createReadStream(path, { highWaterMark: chunkSize })
  async function* counted(): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of file) {
      onBytes(chunk.length)
      yield chunk
    }
  }
  if (!isCompressed) return yield* counted()
  // The errors of both streams come out of the last one.
  const content: Readable = pipeline(counted, createGunzip({ chunkSize }), () => {})
  for await (const chunk of content) yield chunk
}

function cannotRead(path: string, error: unknown): DataError {
  return error instanceof DataError
    ? error
    : new DataError(`cannot read ${path}: ${readProblem(error)}`, { cause: error })
}

function isZlibError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
}
