/** A value of the metadata with GGUF's number of its type. */
export type TypedValue = readonly [type: number, value: number | bigint | boolean | string | readonly TypedValue[]]

/** A tensor of a made-up file, its sizes innermost first. */
export interface TestTensor {
  readonly name: string
  readonly dimensions: readonly number[]
  readonly type: number
  readonly data: Uint8Array
  /** Where its bytes are said to lie, behind those of the tensors before it where left out. */
  readonly offset?: number
}

// Values of each type.

export const text = (value: string): TypedValue => [8, value]
export const uint32 = (value: number): TypedValue => [4, value]
export const float32 = (value: number): TypedValue => [6, value]
export const flag = (value: boolean): TypedValue => [7, value]
export const texts = (values: readonly string[]): TypedValue => [9, values.map(text)]
export const int32s = (values: readonly number[]): TypedValue => [9, values.map((value) => [5, value])]
export const float32s = (values: readonly number[]): TypedValue => [9, values.map(float32)]

/** The bytes of a GGUF file. */
export function ggufFile(
  metadata: Readonly<Record<string, TypedValue>>,
  tensors: readonly TestTensor[] = [],
  version = 3,
): Uint8Array {
  const bytes: number[] = [...new TextEncoder().encode('GGUF')]
  const entries = Object.entries(metadata)
  bytes.push(...number(4, version), ...number(10, tensors.length), ...number(10, entries.length))
  for (const [key, [type, value]] of entries)
    bytes.push(...textBytes(key), ...number(4, type), ...valueBytes(type, value))
  let offset = 0
  for (const { name, dimensions, type, data, offset: given } of tensors) {
    bytes.push(...textBytes(name), ...number(4, dimensions.length))
    for (const size of dimensions) bytes.push(...number(10, size))
    bytes.push(...number(4, type), ...number(10, given ?? offset))
    offset += padded(data.length)
  }
  while (bytes.length % 32 !== 0) bytes.push(0)
  for (const { data } of tensors) bytes.push(...data, ...Array(padded(data.length) - data.length).fill(0))
  return Uint8Array.from(bytes)
}

const padded = (length: number) => Math.ceil(length / 32) * 32

function valueBytes(type: number, value: TypedValue[1]): number[] {
  if (typeof value === 'string') return textBytes(value)
  if (typeof value === 'boolean') return [Number(value)]
  if (typeof value !== 'object') return number(type, value)
  const [[inner] = [0]] = value
  return [
    ...number(4, inner),
    ...number(10, value.length),
    ...value.flatMap(([type, value]) => valueBytes(type, value)),
  ]
}

function textBytes(value: string): number[] {
  const bytes = [...new TextEncoder().encode(value)]
  return [...number(10, bytes.length), ...bytes]
}

function number(type: number, value: number | bigint): number[] {
  const view = new DataView(new ArrayBuffer(8))
  const [small, long] = [Number(value), BigInt(Math.trunc(Number(value)))]
  const writers: Readonly<Record<number, readonly [bytes: number, write: () => void]>> = {
    0: [1, () => view.setUint8(0, small)],
    1: [1, () => view.setInt8(0, small)],
    2: [2, () => view.setUint16(0, small, true)],
    3: [2, () => view.setInt16(0, small, true)],
    4: [4, () => view.setUint32(0, small, true)],
    5: [4, () => view.setInt32(0, small, true)],
    6: [4, () => view.setFloat32(0, small, true)],
    10: [8, () => view.setBigUint64(0, typeof value === 'bigint' ? value : long, true)],
    11: [8, () => view.setBigInt64(0, typeof value === 'bigint' ? value : long, true)],
    12: [8, () => view.setFloat64(0, small, true)],
  }
  const [bytes, write] = writers[type]
  write()
  return [...new Uint8Array(view.buffer, 0, bytes)]
}

/** The metadata of a Llama with one layer of 2 heads, width 8 and 3 tokens, and its tensors, filled with small numbers. */
export function tinyLlama(changes: Readonly<Record<string, TypedValue>> = {}) {
  const metadata: Record<string, TypedValue> = {
    'general.architecture': text('llama'),
    'llama.block_count': uint32(1),
    'llama.context_length': uint32(16),
    'llama.embedding_length': uint32(8),
    'llama.feed_forward_length': uint32(4),
    'llama.attention.head_count': uint32(2),
    'llama.attention.head_count_kv': uint32(1),
    'llama.attention.layer_norm_rms_epsilon': float32(1e-5),
    ...changes,
  }
  const shapes: Readonly<Record<string, readonly number[]>> = {
    'token_embd.weight': [8, 3],
    'output_norm.weight': [8],
    'blk.0.attn_norm.weight': [8],
    'blk.0.attn_q.weight': [8, 8],
    'blk.0.attn_k.weight': [8, 4],
    'blk.0.attn_v.weight': [8, 4],
    'blk.0.attn_output.weight': [8, 8],
    'blk.0.ffn_norm.weight': [8],
    'blk.0.ffn_gate.weight': [8, 4],
    'blk.0.ffn_up.weight': [8, 4],
    'blk.0.ffn_down.weight': [4, 8],
  }
  const tensors = Object.entries(shapes).map(([name, dimensions], i): TestTensor => {
    const count = dimensions.reduce((product, size) => product * size)
    const values = Float32Array.from({ length: count }, (_, j) => Math.sin(i + j))
    return { name, dimensions, type: 0, data: new Uint8Array(values.buffer) }
  })
  return { metadata, tensors }
}
