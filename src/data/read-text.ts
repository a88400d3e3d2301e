import { isUtf8 } from 'node:buffer'
import { DataError } from '../errors.js'
import { firstInvalidByte } from '../hub/files.js'
import { type OnBytes, readBytes } from './read-bytes.js'

/**
 * The text of a UTF-8 file (gzip-compressed or not) in pieces that never cut a character, without a byte order mark.
 *
 * @throws DataError where the file cannot be read or is not UTF-8, with the offset and line of the first wrong byte
 */
export async function* readText(path: string, onBytes?: OnBytes): AsyncGenerator<string, void, undefined> {
  let carry: Buffer = Buffer.alloc(0)
  let offset = 0
  for await (const chunk of readBytes(path, onBytes)) {
    const bytes = carry.length === 0 ? chunk : Buffer.concat([carry, chunk])
    const end = wholeCharacters(bytes)
    const whole = bytes.subarray(0, end)
    if (!isUtf8(whole)) throw await notUtf8(path, offset + firstInvalidByte(whole))
    const text = whole.toString('utf8', offset === 0 && hasByteOrderMark(whole) ? 3 : 0)
    if (text !== '') yield text
    offset += end
    carry = bytes.subarray(end)
  }
  if (carry.length > 0) throw await notUtf8(path, offset)
}

/** The length without a character at the end whose last bytes are still to come; at least `bytes.length − 3`. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]
    if (byte < 0x80) break
    if (byte < 0xc0) continue
    const needed = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return needed > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

function hasByteOrderMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

/** Reads the file once more up to the wrong byte: counting lines while all is well would cost every reader time. */
async function notUtf8(path: string, offset: number): Promise<DataError> {
  let position = 0
  let line = 1
  let wrong = 0
  let isUtf16 = false
  for await (const chunk of readBytes(path)) {
    if (position === 0) {
      const start = chunk.readUInt16BE(0)
      isUtf16 = start === 0xfffe || start === 0xfeff
    }
    for (const byte of chunk.subarray(0, offset - position)) if (byte === 0x0a) line++
    wrong = chunk[offset - position]
    position += chunk.length
    if (position > offset) break
  }
  const value = wrong.toString(16).padStart(2, '0')
  return new DataError(
    `${path}: expected UTF-8 text, got the byte 0x${value} at offset ${offset} (line ${line}); convert the file: iconv -f ${isUtf16 ? 'utf-16' : 'ENCODING'} -t utf-8`,
  )
}
