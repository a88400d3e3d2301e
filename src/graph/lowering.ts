import type { Dimension, Shape } from './dimension.js'
import type { DType, TypedArray } from './dtype.js'

/** A value in the ONNX graph being written: its name, or '' for an optional input that is absent. */
export type Value = string

/** ONNX attributes: a plain number is an INT; write a FLOAT as `float(x)`. */
export type OnnxAttributes = Readonly<Record<string, number | readonly number[] | string | OnnxFloat | undefined>>

/** A FLOAT attribute, kept apart from integers. */
export interface OnnxFloat {
  readonly float: number
}

/** Marks a number as a FLOAT attribute. */
export function float(value: number): OnnxFloat {
  return { float: value }
}

/** Which operator set a node's operator is from; '' is ONNX's own. */
export type OnnxDomain = '' | 'com.microsoft'

/** What an operation's `lower` writes ONNX nodes with. */
export interface Lowering {
  /** Writes a node with one output and returns it. */
  node(operator: string, inputs: readonly Value[], attributes?: OnnxAttributes, domain?: OnnxDomain): Value
  /** Writes a node with several outputs and returns them. */
  nodes(
    count: number,
    operator: string,
    inputs: readonly Value[],
    attributes?: OnnxAttributes,
    domain?: OnnxDomain,
  ): Value[]
  /** Adds a constant. */
  constant(data: TypedArray, shape: readonly number[], dtype: DType): Value
  /** A 1-D int64 tensor with the given sizes, computed at run time where they are names. */
  shape(shape: Shape): Value
  /** A 0-D int64 tensor with one size. */
  dimension(dimension: Dimension): Value
}
