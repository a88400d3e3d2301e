import { Buffer, isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { CheckpointError, DataError, HeddleError } from '../errors.js'
import { findJsonProblem, lineAndColumn } from './json.js'
import type { SafetensorsDtype, SafetensorsEntry, SafetensorsHeader } from './safetensors.js'
import { parseSafetensorsHeader, safetensorsHeaderLength, tensorToFloat32 } from './safetensors.js'

/** A tensor that was read from a checkpoint, converted to float32. */
export interface CheckpointTensor {
  /** The dtype in the file. */
  dtype: SafetensorsDtype
  shape: number[]
  /** The elements in row-major order. */
  data: Float32Array
}

/** Reads and writes of at most this many bytes: Node refuses 2 GiB in one call. */
const maximumTransfer = 2 ** 30

/**
 * Writes a file so that a crash or a full disk leaves the old file or the new one, never a part: aside in the same
 * folder, synced to the disk, then renamed over `path`.
 *
 * @param chunks the content; text is written as UTF-8. What the iterable throws is thrown on, `path` stays untouched
 * @throws HeddleError where the system refuses: no space, no permission, no such folder
 */
export function writeFileAtomically(path: string, chunks: Iterable<Uint8Array> | string): void {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomUUID().slice(0, 8)}.tmp`)
  const content = typeof chunks === 'string' ? [Buffer.from(chunks)] : chunks
  try {
    const file = openSync(temporary, 'wx')
    try {
      for (const chunk of content) writeFully(file, chunk)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    removeQuietly(temporary)
    const problem = systemProblem(error, folder)
    throw problem ? new HeddleError(`cannot write ${path}: ${problem}`, { cause: error }) : error
  }
  syncFolder(folder)
}

/**
 * Makes a folder, and those above it, where it is missing.
 *
 * @throws HeddleError where the system refuses: no permission, a file of this name
 */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true })
  } catch (error) {
    const problem = systemProblem(error, dirname(path))
    throw problem ? new HeddleError(`cannot make the folder ${path}: ${problem}`, { cause: error }) : error
  }
}

/**
 * Every tensor of one safetensors file as float32, in the order of the file, at most one tensor's bytes held twice.
 *
 * @throws CheckpointError where the file is missing, damaged or of a dtype that does not convert
 */
export function readSafetensors(path: string): Map<string, CheckpointTensor> {
  return withFile(path, (file, length) => {
    const tensors = new Map<string, CheckpointTensor>()
    for (const entry of readHeader(file, length, path).tensors) {
      tensors.set(entry.name, { dtype: entry.dtype, shape: entry.shape, data: readTensor(file, entry, path) })
    }
    return tensors
  })
}

/**
 * The header of a safetensors file: names, dtypes, shapes and byte ranges, without reading a weight.
 *
 * @throws CheckpointError where the file is missing or its header is not valid
 */
export function readSafetensorsHeader(path: string): SafetensorsHeader {
  return withFile(path, (file, length) => readHeader(file, length, path))
}

/**
 * Every tensor of a checkpoint directory as float32: `model.safetensors`, or the shards that
 * `model.safetensors.index.json` lists.
 *
 * @throws CheckpointError where neither is there, a shard is missing or damaged, or a listed tensor is not in its shard
 */
export function readCheckpointTensors(directory: string): Map<string, CheckpointTensor> {
  const single = join(directory, 'model.safetensors')
  if (existsSync(single)) return readSafetensors(single)
  const index = join(directory, 'model.safetensors.index.json')
  if (existsSync(index)) return readShards(directory, index)
  if (!existsSync(directory)) throw new CheckpointError(`${directory}: no such directory; check the path`)
  if (['pytorch_model.bin', 'pytorch_model.bin.index.json'].some((name) => existsSync(join(directory, name)))) {
    throw new CheckpointError(
      `${directory}: pytorch_model.bin is a Python pickle, which runs code when it is opened and is not read; convert it in Python: AutoModelForCausalLM.from_pretrained('${directory}').save_pretrained('${directory}', safe_serialization=True)`,
    )
  }
  throw new CheckpointError(
    `${directory}: expected model.safetensors or model.safetensors.index.json, found neither; is this a checkpoint directory?`,
  )
}

/**
 * The parsed content of a JSON file.
 *
 * @throws CheckpointError where the file is missing, not UTF-8, or not JSON: `file:line:column: problem`
 */
export function readJson(path: string): unknown {
  const text = decodeUtf8(readBytes(path, CheckpointError), path, CheckpointError)
  try {
    return JSON.parse(text)
  } catch (cause) {
    const found = findJsonProblem(text) ?? { offset: 0, problem: 'not valid' }
    throw new CheckpointError(`${path}:${lineAndColumn(text, found.offset)}: expected JSON: ${found.problem}`, {
      cause,
    })
  }
}

/**
 * The content of a text file, strictly UTF-8, without a byte order mark.
 *
 * @throws DataError where the file is missing, empty, or not UTF-8 (with offset and line of the first wrong byte)
 */
export function readTextFile(path: string): string {
  const text = decodeUtf8(readBytes(path, DataError), path, DataError)
  if (text.length === 0) throw new DataError(`${path}: the file is empty; expected text`)
  return text
}

type FileError = typeof CheckpointError | typeof DataError

function readBytes(path: string, ErrorClass: FileError): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new ErrorClass(`cannot read ${path}: ${readProblem(error)}`, { cause: error })
  }
}

function decodeUtf8(bytes: Buffer, path: string, ErrorClass: FileError): string {
  if (!isUtf8(bytes)) {
    const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
    const offset = firstInvalidByte(bytes)
    const line = bytes.subarray(0, offset).filter((byte) => byte === 0x0a).length + 1
    const value = bytes[offset].toString(16).padStart(2, '0')
    const from = utf16 ? 'utf-16' : 'ENCODING'
    throw new ErrorClass(
      `${path}: expected UTF-8 text, got the byte 0x${value} at offset ${offset} (line ${line}); convert the file: iconv -f ${from} -t utf-8`,
    )
  }
  try {
    return new TextDecoder('utf-8').decode(bytes)
  } catch (error) {
    throw new ErrorClass(`${path}: ${bytes.length} bytes are too many for one text; split the file`, { cause: error })
  }
}

/** The offset of the first byte that is not UTF-8, found as the first replacement character that the file does not hold. */
export function firstInvalidByte(bytes: Buffer): number {
  const text = bytes.toString('utf8')
  let offset = 0
  let from = 0
  for (;;) {
    const at = text.indexOf('\ufffd', from)
    if (at < 0) return offset
    offset += Buffer.byteLength(text.slice(from, at))
    if (bytes[offset] !== 0xef || bytes[offset + 1] !== 0xbf || bytes[offset + 2] !== 0xbd) return offset
    offset += 3
    from = at + 1
  }
}

function readShards(directory: string, indexPath: string): Map<string, CheckpointTensor> {
  const byShard = new Map<string, string[]>()
  for (const [name, shard] of weightMap(indexPath)) byShard.set(shard, [...(byShard.get(shard) ?? []), name])
  const tensors = new Map<string, CheckpointTensor>()
  for (const [shard, names] of byShard) {
    const path = join(directory, shard)
    if (!existsSync(path)) throw new CheckpointError(`${indexPath}: the shard ${shard} is missing; download it again`)
    const found = readSafetensors(path)
    for (const name of names) {
      const tensor = found.get(name)
      if (!tensor) throw new CheckpointError(`${path}: tensor ${name} is listed in ${indexPath} but not in this shard`)
      tensors.set(name, tensor)
    }
  }
  return tensors
}

/**
 * The shard of each tensor, by the index of a sharded checkpoint.
 *
 * @throws CheckpointError where the index is damaged or names a file outside of its folder
 */
export function weightMap(indexPath: string): Array<[name: string, shard: string]> {
  const index = readJson(indexPath)
  const map = typeof index === 'object' && index !== null && 'weight_map' in index ? index.weight_map : undefined
  if (typeof map !== 'object' || map === null) {
    throw new CheckpointError(`${indexPath}: expected weight_map to be an object of tensor names and shard files`)
  }
  return Object.entries(map).map(([name, shard]: [string, unknown]) => {
    // A downloaded index must not be able to name files outside its folder.
    if (typeof shard !== 'string' || basename(shard) !== shard || shard.includes('\\')) {
      throw new CheckpointError(`${indexPath}: weight_map.${name}: expected a file name, got ${JSON.stringify(shard)}`)
    }
    return [name, shard]
  })
}

function withFile<Result>(path: string, use: (file: number, length: number) => Result): Result {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    throw new CheckpointError(`cannot read ${path}: ${readProblem(error)}`, { cause: error })
  }
  try {
    return use(file, fstatSync(file).size)
  } catch (error) {
    throw error instanceof HeddleError
      ? error
      : new CheckpointError(`cannot read ${path}: ${readProblem(error)}`, { cause: error })
  } finally {
    closeSync(file)
  }
}

function readHeader(file: number, fileLength: number, path: string): SafetensorsHeader {
  const start = new Uint8Array(Math.min(8, fileLength))
  readFully(file, start, 0, path)
  const bytes = new Uint8Array(8 + safetensorsHeaderLength(start, fileLength, path))
  readFully(file, bytes, 0, path)
  return parseSafetensorsHeader(bytes, fileLength, path)
}

function readTensor(file: number, entry: SafetensorsEntry, path: string): Float32Array {
  const bytes = new Uint8Array(entry.end - entry.begin)
  readFully(file, bytes, entry.begin, path)
  return tensorToFloat32(bytes, entry.dtype, `${path}: tensor ${entry.name}`)
}

function readFully(file: number, bytes: Uint8Array, position: number, path: string): void {
  let done = 0
  while (done < bytes.length) {
    const count = readSync(file, bytes, done, Math.min(maximumTransfer, bytes.length - done), position + done)
    if (count === 0) throw new CheckpointError(`${path}: ended at byte ${position + done} while it was read`)
    done += count
  }
}

/** Writes all the bytes where an open file stands, in as many calls as the system needs. */
export function writeFully(file: number, bytes: Uint8Array): void {
  let done = 0
  while (done < bytes.length) done += writeSync(file, bytes, done, Math.min(maximumTransfer, bytes.length - done))
}

/** Removes a file whose writing failed; a second failure must not hide the first. */
export function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // What made the writing fail also hides the file, for example a folder that is a file.
  }
}

/** Makes the rename itself durable, where the system can sync a folder (Windows cannot). */
export function syncFolder(folder: string): void {
  try {
    const file = openSync(folder, 'r')
    try {
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } catch {
    // The file is complete and in place: only its survival of a power cut in this very moment is not certain.
  }
}

/** The system's name of an error, such as ENOENT; undefined where it has none. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** What to tell a user about an error of the file system while reading. */
export function readProblem(error: unknown): string {
  const code = errorCode(error)
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file; check the path'
  if (code === 'EISDIR') return 'it is a directory, expected a file'
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied; make it readable'
  if (code === 'ERR_FS_FILE_TOO_LARGE') return 'it is larger than 2 GiB; split it'
  return error instanceof Error ? error.message : String(error)
}

/** What to tell a user about an error of the file system while writing, or undefined for any other error. */
export function systemProblem(error: unknown, folder: string): string | undefined {
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'no space left on the disk; free some or choose another folder (an earlier file of this name is untouched)'
    case 'EACCES':
    case 'EPERM':
      return `no permission to write in ${folder}; choose another folder or change its permissions`
    case 'EROFS':
      return `${folder} is on a read-only file system; choose another folder`
    case 'ENOENT':
      return `the folder ${folder} does not exist; create it first`
    case 'ENOTDIR':
      return `${folder} is not a folder; choose another path`
    case 'EISDIR':
      return 'a folder of this name exists; choose another name'
    case 'EEXIST':
      return 'a file of this name exists; choose another name'
    default:
      return undefined
  }
}
