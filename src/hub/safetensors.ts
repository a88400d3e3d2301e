import { CheckpointError, UsageError } from '../errors.js'
import { bfloat16ToFloat32, halfToFloat32 } from './float16.js'
import { findJsonProblem, lineAndColumn } from './json.js'

/** Bytes of one element of every dtype, in the order of the reference implementation: files store the last one first. */
const dtypeBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  C64: 8,
  F64: 8,
  I64: 8,
  U64: 8,
} as const

const dtypeOrder = Object.keys(dtypeBytes)

/** The largest header that is read, in bytes: the limit of the reference implementation, a guard against other files. */
const maximumHeaderLength = 100_000_000

/** An element type as safetensors files spell it. */
export type SafetensorsDtype = keyof typeof dtypeBytes

/** One tensor of a file: what it is and where its bytes lie. */
export interface SafetensorsEntry {
  name: string
  dtype: SafetensorsDtype
  shape: number[]
  /** Position of the first byte, counted from the start of the file. */
  begin: number
  /** Position after the last byte, counted from the start of the file. */
  end: number
}

/** What a safetensors file holds, without the weights. */
export interface SafetensorsHeader {
  /** The free text pairs under `__metadata__`. */
  metadata: Record<string, string>
  /** The tensors in the order of their bytes, which cover the file without a gap. */
  tensors: SafetensorsEntry[]
  /** Position of the first byte after the header, counted from the start of the file. */
  dataStart: number
}

/** A tensor to write. */
export interface SafetensorsTensor {
  name: string
  dtype: SafetensorsDtype
  shape: readonly number[]
  /** The elements in row-major order; only its bytes are looked at. */
  data: ArrayBufferView
}

/** Bytes that one element of `dtype` takes in a file. */
export function bytesPerElement(dtype: SafetensorsDtype): number {
  return dtypeBytes[dtype]
}

/**
 * The length of the JSON header, read from the first 8 bytes (little-endian) of a file.
 *
 * @param bytes the file's first bytes, at least 8 where the file has them
 * @param fileLength length of the whole file in bytes
 * @param where the file's name, for messages
 * @returns length in bytes of the header, without the 8 bytes of the length itself
 * @throws CheckpointError where the file is shorter than its header or the header is longer than 100 MB
 */
export function safetensorsHeaderLength(bytes: Uint8Array, fileLength: number, where: string): number {
  if (fileLength < 8 || bytes.length < 8) {
    const found = Math.min(fileLength, bytes.length)
    throw new CheckpointError(`${where}: expected a safetensors file, got ${found} bytes; download or save it again`)
  }
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true))
  if (length > maximumHeaderLength) {
    throw new CheckpointError(
      `${where}: the header claims ${length} bytes, more than the ${maximumHeaderLength} allowed; this is not a safetensors file`,
    )
  }
  if (8 + length > fileLength) {
    throw new CheckpointError(
      `${where}: the header claims ${length} bytes but only ${fileLength - 8} follow; the file is cut short, download or save it again`,
    )
  }
  return length
}

/**
 * Parses and fully checks the header of a safetensors file: known dtypes, sizes that fit their shapes, and byte ranges
 * that cover the rest of the file without overlap or gap.
 *
 * @param bytes the file's first 8 + header length bytes, or more of it
 * @param fileLength length of the whole file in bytes
 * @param where the file's name, for messages
 * @throws CheckpointError naming the file and the tensor
 */
export function parseSafetensorsHeader(bytes: Uint8Array, fileLength: number, where: string): SafetensorsHeader {
  const length = safetensorsHeaderLength(bytes, fileLength, where)
  const dataStart = 8 + length
  if (bytes.length < dataStart) {
    throw new UsageError(`parseSafetensorsHeader: ${where} needs its first ${dataStart} bytes, got ${bytes.length}`)
  }
  const document = parseHeaderText(bytes.subarray(8, dataStart), where)
  const metadata = parseMetadata(document.__metadata__, where)
  const tensors = Object.entries(document)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => parseEntry(name, entry, { dataStart, fileLength, where }))
    .sort((a, b) => a.begin - b.begin || a.end - b.end)
  checkCoverage(tensors, { dataStart, fileLength, where })
  return { metadata, tensors, dataStart }
}

/**
 * A tensor's bytes as float32: without a copy for F32 where the bytes are aligned to 4, else converted (F16, BF16 and
 * F64, integers and BOOL by value; F64 and integers beyond 2^24 are rounded).
 *
 * @param view the tensor's bytes, little-endian
 * @param where file and tensor, for messages
 * @throws CheckpointError for 8-bit floating point and complex numbers
 */
export function tensorToFloat32(view: Uint8Array, dtype: SafetensorsDtype, where = 'tensor'): Float32Array {
  const size = dtypeBytes[dtype]
  const aligned = view.byteOffset % size === 0 ? view : view.slice()
  const { buffer, byteOffset } = aligned
  const length = Math.floor(aligned.byteLength / size)
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, length)
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, length))
    case 'F16':
      return halfToFloat32(new Uint16Array(buffer, byteOffset, length))
    case 'BF16':
      return bfloat16ToFloat32(new Uint16Array(buffer, byteOffset, length))
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer, byteOffset, length), Number)
    case 'U64':
      return Float32Array.from(new BigUint64Array(buffer, byteOffset, length), Number)
    case 'I32':
      return Float32Array.from(new Int32Array(buffer, byteOffset, length))
    case 'U32':
      return Float32Array.from(new Uint32Array(buffer, byteOffset, length))
    case 'I16':
      return Float32Array.from(new Int16Array(buffer, byteOffset, length))
    case 'U16':
      return Float32Array.from(new Uint16Array(buffer, byteOffset, length))
    case 'I8':
      return Float32Array.from(new Int8Array(buffer, byteOffset, length))
    case 'U8':
    case 'BOOL':
      return Float32Array.from(aligned)
    default:
      throw new CheckpointError(`${where}: dtype ${dtype} cannot be read as float32; save it as F32, F16 or BF16`)
  }
}

/**
 * The bytes of a safetensors file, chunk by chunk: first the header, padded to 8 bytes, then each tensor's own memory.
 *
 * Tensors are ordered by dtype (the widest first, which keeps every tensor aligned) and then by name, as the reference
 * implementation does: the same tensors give the same file.
 *
 * @param metadata text pairs for `__metadata__`; Python's transformers refuses a file without `format: 'pt'`
 * @returns chunks that are views of the tensors: write each before changing any weight
 * @throws CheckpointError for two tensors of one name, or data whose size is not that of shape and dtype
 */
export function* serializeSafetensors(
  tensors: Iterable<SafetensorsTensor>,
  metadata: Record<string, string> = { format: 'pt' },
): Generator<Uint8Array, void, undefined> {
  const ordered = [...tensors].sort(
    (a, b) => dtypeOrder.indexOf(b.dtype) - dtypeOrder.indexOf(a.dtype) || compareNames(a.name, b.name),
  )
  const header = new Map<string, unknown>([['__metadata__', metadata]])
  let offset = 0
  for (const { name, dtype, shape, data } of ordered) {
    if (header.has(name)) throw new CheckpointError(`cannot save two tensors under the name ${JSON.stringify(name)}`)
    const expected = byteSize(dtype, shape)
    if (data.byteLength !== expected) {
      throw new CheckpointError(
        `cannot save ${name}: ${dtype} [${shape.join(', ')}] takes ${expected} bytes, got ${data.byteLength}`,
      )
    }
    header.set(name, { dtype, shape, data_offsets: [offset, offset + expected] })
    offset += expected
  }
  yield headerBytes(header)
  for (const { data } of ordered) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function headerBytes(header: Map<string, unknown>): Uint8Array {
  // Pair by pair: an object would move names that look like numbers to the front.
  const pairs = [...header].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
  const text = new TextEncoder().encode(`{${pairs.join(',')}}`)
  const length = Math.ceil(text.length / 8) * 8
  const bytes = new Uint8Array(8 + length).fill(0x20, 8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(text, 8)
  return bytes
}

interface FileBounds {
  dataStart: number
  fileLength: number
  where: string
}

function parseHeaderText(bytes: Uint8Array, where: string): Record<string, unknown> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new CheckpointError(`${where}: the header is not UTF-8 text; this is not a safetensors file`, { cause })
  }
  const problem = findJsonProblem(text)
  if (problem) {
    throw new CheckpointError(
      `${where}: the header is not valid: ${problem.problem} at ${lineAndColumn(text, problem.offset)}; download or save the file again`,
    )
  }
  const document: unknown = JSON.parse(text)
  if (!isObject(document))
    throw new CheckpointError(`${where}: expected the header to be a JSON object, got ${text.slice(0, 40)}`)
  return document
}

function parseMetadata(metadata: unknown, where: string): Record<string, string> {
  if (metadata === undefined) return {}
  if (!isObject(metadata)) throw new CheckpointError(`${where}: expected __metadata__ to be an object of strings`)
  const result: Record<string, string> = {}
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') {
      throw new CheckpointError(`${where}: __metadata__.${key}: expected a string, got ${JSON.stringify(value)}`)
    }
    result[key] = value
  }
  return result
}

function parseEntry(name: string, entry: unknown, bounds: FileBounds): SafetensorsEntry {
  const { dataStart, fileLength, where } = bounds
  const fail = (problem: string): never => {
    throw new CheckpointError(`${where}: tensor ${JSON.stringify(name)}: ${problem}`)
  }
  if (!isObject(entry)) return fail(`expected dtype, shape and data_offsets, got ${JSON.stringify(entry)}`)
  const { dtype, shape, data_offsets: offsets } = entry
  if (!isDtype(dtype)) return fail(`unknown dtype ${JSON.stringify(dtype)}, known are ${dtypeOrder.join(', ')}`)
  if (!isCounts(shape)) return fail(`expected shape to be a list of whole numbers, got ${JSON.stringify(shape)}`)
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    return fail(`expected data_offsets [begin, end] with begin <= end, got ${JSON.stringify(offsets)}`)
  }
  const [begin, end] = offsets
  if (end > fileLength - dataStart) {
    fail(`its data ends at byte ${end} but the file has ${fileLength - dataStart} bytes of data; it is cut short`)
  }
  const expected = byteSize(dtype, shape)
  if (end - begin !== expected) {
    fail(`${dtype} [${shape.join(', ')}] takes ${expected} bytes, data_offsets span ${end - begin}`)
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end }
}

function checkCoverage(tensors: readonly SafetensorsEntry[], { dataStart, fileLength, where }: FileBounds): void {
  let position = dataStart
  for (const { name, begin, end } of tensors) {
    if (begin !== position) {
      const problem = begin < position ? 'overlaps the tensor before it' : `leaves a hole of ${begin - position} bytes`
      throw new CheckpointError(
        `${where}: tensor ${JSON.stringify(name)} ${problem}: expected it to begin at byte ${position - dataStart} of the data, got ${begin - dataStart}`,
      )
    }
    position = end
  }
  if (position !== fileLength) {
    throw new CheckpointError(
      `${where}: the tensors take ${position - dataStart} bytes of data but the file has ${fileLength - dataStart}; it is damaged`,
    )
  }
}

function byteSize(dtype: SafetensorsDtype, shape: readonly number[]): number {
  return shape.reduce((size, dimension) => size * dimension, dtypeBytes[dtype])
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(dtypeBytes, value)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
