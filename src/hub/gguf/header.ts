import { CheckpointError } from '../../errors.js'
import type { ByteSource } from './byte-source.js'
import { HeaderReader } from './header-reader.js'
import { type GgmlType, ggmlTypes, typeName } from './types.js'
import { readValue } from './values.js'

/** A value under a key of the metadata. */
export type GgufValue = number | boolean | string | readonly string[] | readonly boolean[] | ArrayLike<number>

/** One tensor of a file: what it is and where its bytes lie. */
export interface GgufTensor {
  readonly name: string
  /** Outermost first, as everywhere but in GGUF. */
  readonly shape: readonly number[]
  /** Undefined for a type that is not read. */
  readonly type: GgmlType | undefined
  /** How the type is called. */
  readonly typeName: string
  /** Position of the first byte, counted from the start of the file. */
  readonly begin: number
  /** How many bytes there are; 0 for a type that is not read. */
  readonly bytes: number
}

/** What a GGUF file holds, without the weights. */
export interface GgufHeader {
  readonly version: number
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tensors: ReadonlyMap<string, GgufTensor>
}

/** More than any model has, of tensors and of keys. */
const maximumEntries = 1 << 16

/**
 * Reads and fully checks the header of a GGUF file, version 2 or 3: keys and values, and tensors whose sizes fit their
 * types and whose bytes are in the file and do not overlap.
 *
 * @throws CheckpointError naming the file and what is wrong with it, before anything of a claimed size is allocated
 */
export function readGgufHeader(source: ByteSource): GgufHeader {
  const { where } = source
  const reader = new HeaderReader(source)
  const version = readVersion(reader, where)
  const [tensorCount, keyCount] = ['tensors', 'keys'].map((what) => {
    const count = reader.length(`the number of ${what}`)
    if (count <= maximumEntries) return count
    throw new CheckpointError(
      `${where}: claims ${count} ${what}, more than the ${maximumEntries} allowed; it is damaged`,
    )
  })
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < keyCount; i++) {
    const key = reader.text()
    if (metadata.has(key)) throw new CheckpointError(`${where}: the key ${JSON.stringify(key)} is there twice`)
    metadata.set(key, readValue(reader, reader.uint32(), `${where}: ${key}`))
  }
  const infos = Array.from({ length: tensorCount }, () => readTensorInfo(reader, where))
  const alignment = alignmentOf(metadata, where)
  const dataStart = Math.ceil(reader.position / alignment) * alignment
  const tensors = new Map<string, GgufTensor>()
  for (const info of infos) {
    if (tensors.has(info.name)) throw new CheckpointError(`${where}: the tensor '${info.name}' is there twice`)
    tensors.set(info.name, placed(info, dataStart, source))
  }
  checkOverlaps(tensors, where)
  return { version, metadata, tensors }
}

function readVersion(reader: HeaderReader, where: string): number {
  const magic = String.fromCharCode(...reader.bytes(Math.min(4, reader.left)))
  if (magic !== 'GGUF') {
    throw new CheckpointError(`${where}: expected a GGUF file, which begins with 'GGUF', got ${JSON.stringify(magic)}`)
  }
  const version = reader.uint32()
  if (version === 2 || version === 3) return version
  const found = version > 0xffff ? 'a big-endian file' : `version ${version}`
  throw new CheckpointError(`${where}: expected version 2 or 3, little-endian, got ${found}; convert the model anew`)
}

interface TensorInfo {
  readonly name: string
  readonly dimensions: readonly number[]
  readonly typeId: number
  readonly offset: number
}

function readTensorInfo(reader: HeaderReader, where: string): TensorInfo {
  const name = reader.text()
  const rank = reader.uint32()
  if (rank > 4) throw new CheckpointError(`${where}: the tensor ${JSON.stringify(name)} claims ${rank} axes; at most 4`)
  const dimensions = Array.from({ length: rank }, () => reader.length(`a size of '${name}'`))
  return { name, dimensions, typeId: reader.uint32(), offset: reader.length(`the offset of '${name}'`) }
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>, where: string): number {
  const alignment = metadata.get('general.alignment') ?? 32
  if (typeof alignment === 'number' && Number.isInteger(alignment) && alignment > 0 && alignment <= 1 << 16) {
    return alignment
  }
  throw new CheckpointError(`${where}: general.alignment: expected a number of bytes, got ${alignment}`)
}

function placed({ name, dimensions, typeId, offset }: TensorInfo, dataStart: number, source: ByteSource): GgufTensor {
  const fail = (problem: string): never => {
    throw new CheckpointError(`${source.where}: tensor '${name}': ${problem}`)
  }
  const type = ggmlTypes.get(typeId)
  const begin = dataStart + offset
  const shape = [...dimensions].reverse()
  const found = { name, shape, type, typeName: typeName(typeId), begin }
  if (type === undefined) return { ...found, bytes: 0 }
  const [innermost = 1] = dimensions
  if (innermost % type.blockSize !== 0) {
    fail(`rows of ${innermost} elements do not divide into the ${type.blockSize} of a block of ${type.name}`)
  }
  // Sizes are whole numbers that JavaScript tells apart, but their product need not be one.
  const elements = dimensions.reduce((product, size) => product * size, 1)
  const bytes = (elements / type.blockSize) * type.blockBytes
  if (!(begin + bytes <= source.length)) {
    fail(`its ${bytes} bytes end at ${begin + bytes}, but the file has ${source.length}; it is cut short`)
  }
  return { ...found, bytes }
}

/** Were tensors allowed to share bytes, a small file could ask for more memory than there is. */
function checkOverlaps(tensors: ReadonlyMap<string, GgufTensor>, where: string): void {
  let end = 0
  for (const { name, begin, bytes } of [...tensors.values()].sort((a, b) => a.begin - b.begin)) {
    if (bytes === 0) continue
    if (begin < end)
      throw new CheckpointError(`${where}: the tensor '${name}' overlaps the one before it; it is damaged`)
    end = begin + bytes
  }
}
