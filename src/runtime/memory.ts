/** WebAssembly memories of fixed size that hold what the kernels work on: no view on them ever detaches. */
import { nearestName, RuntimeError, UsageError } from '../errors.js'
import { Kernels } from './kernels.js'
import { TableRows } from './table-rows.js'

const PAGE_BYTES = 65536
const ALIGNMENT = 64
const MEGABYTE = 2 ** 20

/** How large segments are made by default: 1 GiB. */
export const SEGMENT_BYTES = 2 ** 30

/** The largest segment: one page short of 4 GiB, so that every end address fits into 32 bits. */
export const MAXIMUM_SEGMENT_BYTES = 2 ** 32 - PAGE_BYTES

/** `bytes` rounded up to the 64-byte alignment of every allocation. */
function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / MEGABYTE)} MB`
}

/** One WebAssembly memory of fixed size (initial = maximum), zeroed, given out from the front, with kernels on it. */
export class Segment {
  /** The memory itself. */
  readonly memory: WebAssembly.Memory
  /** The kernels that work on arrays of this segment. */
  readonly kernels: Kernels
  /** Size in bytes, a multiple of 64 KiB. */
  readonly bytes: number
  #used = 0

  /**
   * @param bytes room for allocations, each rounded up to 64 bytes; itself rounded up to 64 KiB
   * @throws RuntimeError where the system has not that much memory, or where it exceeds {@link MAXIMUM_SEGMENT_BYTES}
   */
  constructor(bytes: number) {
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > MAXIMUM_SEGMENT_BYTES) {
      throw new RuntimeError(
        `Segment: size must be 0 to ${MAXIMUM_SEGMENT_BYTES} bytes (4 GiB), got ${bytes}; split the arrays over several segments`,
      )
    }
    const pages = Math.ceil(bytes / PAGE_BYTES)
    this.bytes = pages * PAGE_BYTES
    this.memory = reserve(pages)
    this.kernels = new Kernels(this.memory)
  }

  /** Bytes that are still free. */
  get free(): number {
    return this.bytes - this.#used
  }

  /** A zeroed float32 array of `length` elements; throws RuntimeError where the segment is full. */
  allocateFloat32(length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#buffer(), this.#take(length, 4), length)
  }

  /** A zeroed uint8 array of `length` elements; throws RuntimeError where the segment is full. */
  allocateUint8(length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#buffer(), this.#take(length, 1), length)
  }

  /** A zeroed int32 array of `length` elements; throws RuntimeError where the segment is full. */
  allocateInt32(length: number): Int32Array<ArrayBuffer> {
    return new Int32Array(this.#buffer(), this.#take(length, 4), length)
  }

  /** A zeroed int64 array of `length` elements; throws RuntimeError where the segment is full. */
  allocateInt64(length: number): BigInt64Array<ArrayBuffer> {
    return new BigInt64Array(this.#buffer(), this.#take(length, 8), length)
  }

  #buffer(): ArrayBuffer {
    return this.memory.buffer
  }

  /** The offset of the next free, aligned `length * elementBytes` bytes. */
  #take(length: number, elementBytes: number): number {
    const size = aligned(length * elementBytes)
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new UsageError(`Segment: length must be a non-negative integer, got ${length}`)
    }
    if (size > this.free) {
      throw new RuntimeError(
        `Segment: ${size} bytes were asked for, ${this.free} of ${this.bytes} are free; make the segment larger or use another one`,
      )
    }
    const offset = this.#used
    this.#used += size
    return offset
  }
}

function reserve(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages })
  } catch (cause) {
    throw new RuntimeError(
      `Segment: ${megabytes(pages * PAGE_BYTES)} of memory could not be allocated (${cause}); close other programs or browser tabs, raise the memory limit of the process, or use a smaller model`,
      { cause },
    )
  }
}

/** A parameter's name and its number of elements. */
export interface ParameterLength {
  readonly name: string
  readonly length: number
  /** Rows of a table whose gradient may have few rows; they divide the length. */
  readonly rows?: number | undefined
}

/** Where one parameter lies: float32 arrays in one segment, each 64-byte aligned, in this order side by side. */
export interface ParameterSlot {
  readonly name: string
  /** The segment whose kernels work on these arrays. */
  readonly segment: Segment
  /** The parameter itself. */
  readonly value: Float32Array<ArrayBuffer>
  /** Its gradient; of length 0 where the memory is not trainable. */
  readonly gradient: Float32Array<ArrayBuffer>
  /** The optimizer's running mean of the gradient; of length 0 where the memory is not trainable. */
  readonly firstMoment: Float32Array<ArrayBuffer>
  /** The optimizer's running mean of the squared gradient; of length 0 where the memory is not trainable. */
  readonly secondMoment: Float32Array<ArrayBuffer>
  /** Which rows have gradients and moments, where the parameter is trainable and has rows. */
  readonly rows: TableRows | undefined
}

/** How a {@link ParameterMemory} is laid out. */
export interface ParameterMemoryOptions {
  /** Whether every parameter gets a gradient and two moments besides its value: 16 bytes an element instead of 4. */
  readonly trainable: boolean
  /** Where a segment is full; a parameter that needs more gets a larger segment of its own. Default 1 GiB. */
  readonly segmentBytes?: number
}

/**
 * All parameters of a model, zeroed, in segments: the arrays of one parameter lie in one segment, a new segment begins
 * where the current one is full, and every segment is as large as what it holds.
 *
 * Iterates over the slots in the order of the parameters.
 */
export class ParameterMemory implements Iterable<ParameterSlot> {
  /** Whether the slots have gradients and moments. */
  readonly trainable: boolean
  /** The segments, in order. */
  readonly segments: readonly Segment[]
  readonly #slots = new Map<string, ParameterSlot>()

  /**
   * @throws UsageError where a name occurs twice or a length is not a non-negative integer; RuntimeError where memory
   * does not suffice, or where the arrays of one parameter exceed 4 GiB (268 million elements, if trainable)
   */
  constructor(parameters: Iterable<ParameterLength>, options: ParameterMemoryOptions) {
    this.trainable = options.trainable
    const groups = this.#group(parameters, options.segmentBytes ?? SEGMENT_BYTES)
    this.segments = groups.map((group) => {
      const segment = new Segment(group.reduce((sum, parameter) => sum + this.#slotBytes(parameter), 0))
      for (const parameter of group) this.#slots.set(parameter.name, this.#slot(segment, parameter))
      return segment
    })
  }

  /** Bytes of all segments together. */
  get bytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  /**
   * The slot of a parameter.
   *
   * @throws UsageError where there is none of that name; the message suggests the nearest one
   */
  get(name: string): ParameterSlot {
    const slot = this.#slots.get(name)
    if (slot) return slot
    const nearest = nearestName(name, this.#slots.keys())
    throw new UsageError(
      `ParameterMemory: no parameter "${name}" among ${this.#slots.size}${nearest ? `; did you mean "${nearest}"?` : ''}`,
    )
  }

  /** Whether a parameter of that name exists. */
  has(name: string): boolean {
    return this.#slots.has(name)
  }

  [Symbol.iterator](): Iterator<ParameterSlot> {
    return this.#slots.values()
  }

  /** The parameters that share a segment, in order. */
  #group(parameters: Iterable<ParameterLength>, limit: number): ParameterLength[][] {
    const groups: ParameterLength[][] = []
    const names = new Set<string>()
    let room = 0
    for (const parameter of parameters) {
      checkParameter(parameter, names)
      const bytes = this.#slotBytes(parameter)
      if (bytes > MAXIMUM_SEGMENT_BYTES) {
        throw new RuntimeError(
          `ParameterMemory: "${parameter.name}" needs ${megabytes(bytes)} in one segment, at most ${megabytes(MAXIMUM_SEGMENT_BYTES)} are possible; freeze it or make it smaller`,
        )
      }
      if (groups.length === 0 || bytes > room) {
        groups.push([])
        room = limit
      }
      groups[groups.length - 1].push(parameter)
      room -= bytes
    }
    return groups
  }

  #slotBytes({ length, rows = 0 }: ParameterLength): number {
    return this.trainable ? 4 * aligned(4 * length) + aligned(rows) : aligned(4 * length)
  }

  #slot(segment: Segment, { name, length, rows = 0 }: ParameterLength): ParameterSlot {
    const training = this.trainable ? length : 0
    return {
      name,
      segment,
      value: segment.allocateFloat32(length),
      gradient: segment.allocateFloat32(training),
      firstMoment: segment.allocateFloat32(training),
      secondMoment: segment.allocateFloat32(training),
      rows: this.trainable && rows > 0 ? new TableRows(segment.allocateUint8(rows)) : undefined,
    }
  }
}

function checkParameter({ name, length }: ParameterLength, names: Set<string>): void {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new UsageError(`ParameterMemory: the length of "${name}" must be a non-negative integer, got ${length}`)
  }
  if (names.has(name)) {
    throw new UsageError(`ParameterMemory: the parameter "${name}" occurs twice; list a tied parameter once`)
  }
  names.add(name)
}
