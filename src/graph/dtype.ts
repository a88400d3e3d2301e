import { ShapeError } from '../errors.js'

/** Element types, by NumPy's names. */
export type DType = 'float32' | 'float64' | 'float16' | 'int64' | 'int32' | 'uint8' | 'int8' | 'bool'

/** What a dtype's elements are stored in: `bool` is one byte per element, `float16` its bits. */
export interface TypedArrays {
  float32: Float32Array
  float64: Float64Array
  float16: Uint16Array
  int64: BigInt64Array
  int32: Int32Array
  uint8: Uint8Array
  int8: Int8Array
  bool: Uint8Array
}

/** Any array that can hold a tensor's elements. */
export type TypedArray = TypedArrays[DType]

const constructors = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
} as const

/** ONNX's number of a dtype (onnx.proto, TensorProto.DataType). */
export const onnxType: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
}

/** Whether gradients can flow through values of this dtype. */
export function isFloat(dtype: DType): boolean {
  return dtype.startsWith('float')
}

/** The array type of a dtype, to make or to check one. */
export function arrayType<D extends DType>(dtype: D): (typeof constructors)[D] {
  return constructors[dtype]
}

/**
 * A typed array of a dtype from plain numbers (rounded as the array type does).
 *
 * @throws ShapeError for float16, whose arrays hold bits, not numbers
 */
export function toTypedArray(dtype: DType, values: readonly number[]): TypedArray {
  if (dtype === 'float16') {
    throw new ShapeError('constant: float16 arrays hold bits, not numbers: make a float32 constant and cast it')
  }
  if (dtype === 'int64') return BigInt64Array.from(values, BigInt)
  return constructors[dtype].from(values)
}
