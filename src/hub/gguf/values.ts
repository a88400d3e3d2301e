import { CheckpointError } from '../../errors.js'
import type { GgufValue } from './header.js'
import type { HeaderReader } from './header-reader.js'

/** How a kind of number is read, and what lists of it are kept in: never more bytes than the file has. */
interface NumberKind {
  readonly bytes: number
  readonly at: (view: DataView, offset: number) => number
  readonly List: new (length: number) => { [index: number]: number; readonly length: number }
}

/** The kinds of numbers by GGUF's numbers of types. */
const numberKinds: ReadonlyMap<number, NumberKind> = new Map<number, NumberKind>([
  [0, { bytes: 1, List: Uint8Array, at: (view, i) => view.getUint8(i) }],
  [1, { bytes: 1, List: Int8Array, at: (view, i) => view.getInt8(i) }],
  [2, { bytes: 2, List: Uint16Array, at: (view, i) => view.getUint16(i, true) }],
  [3, { bytes: 2, List: Int16Array, at: (view, i) => view.getInt16(i, true) }],
  [4, { bytes: 4, List: Uint32Array, at: (view, i) => view.getUint32(i, true) }],
  [5, { bytes: 4, List: Int32Array, at: (view, i) => view.getInt32(i, true) }],
  [6, { bytes: 4, List: Float32Array, at: (view, i) => view.getFloat32(i, true) }],
  [10, { bytes: 8, List: Float64Array, at: (view, i) => Number(view.getBigUint64(i, true)) }],
  [11, { bytes: 8, List: Float64Array, at: (view, i) => Number(view.getBigInt64(i, true)) }],
  [12, { bytes: 8, List: Float64Array, at: (view, i) => view.getFloat64(i, true) }],
])

const [booleanType, textType, listType] = [7, 8, 9]

/** The shortest text: its length alone. */
const shortestText = 8

/**
 * Reads a value of the metadata.
 *
 * @param type GGUF's number of its type
 * @throws CheckpointError for a type that does not exist, or a list that is longer than what is left of the file
 */
export function readValue(reader: HeaderReader, type: number, where: string): GgufValue {
  const kind = numberKinds.get(type)
  if (kind !== undefined) return kind.at(reader.view(kind.bytes), 0)
  if (type === booleanType) return readBoolean(reader)
  if (type === textType) return reader.text()
  if (type === listType) return readList(reader, where)
  throw new CheckpointError(`${where}: expected a type of value from 0 to 12, got ${type}; the file is damaged`)
}

function readList(reader: HeaderReader, where: string): GgufValue {
  const type = reader.uint32()
  const count = reader.length(`${where}: the length of a list`)
  const kind = numberKinds.get(type)
  const smallest = kind?.bytes ?? (type === textType ? shortestText : 1)
  if (count > reader.left / smallest) {
    throw new CheckpointError(
      `${where}: claims ${count} elements, but only ${reader.left} bytes are left; it is damaged`,
    )
  }
  if (kind !== undefined) {
    const view = reader.view(count * kind.bytes)
    const list = new kind.List(count)
    for (let i = 0; i < count; i++) list[i] = kind.at(view, i * kind.bytes)
    return list
  }
  if (type === booleanType) return Array.from({ length: count }, () => readBoolean(reader))
  if (type === textType) return Array.from({ length: count }, () => reader.text())
  throw new CheckpointError(`${where}: expected a list of numbers, truth values or texts, got type ${type}`)
}

function readBoolean(reader: HeaderReader): boolean {
  return reader.bytes(1)[0] !== 0
}
