import { PbfWriter } from 'pbf'
import {
  type Dimension,
  type DType,
  dimensionNames,
  type OnnxAttributes,
  onnxType,
  type Shape,
  type TypedArray,
} from '../graph/index.js'

/** One operator call of an ONNX graph. */
export interface OnnxNode {
  readonly operator: string
  readonly domain: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: OnnxAttributes
}

/** A named value with its type, as graph inputs and outputs declare it. */
export interface OnnxValue {
  readonly name: string
  readonly dtype: DType
  readonly shape: Shape
}

/** A constant: its bytes inside the model, or the name of a file that holds them. */
export interface OnnxInitializer {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data: TypedArray | { readonly location: string; readonly offset: number; readonly length: number }
}

/** An ONNX model with one graph. */
export interface OnnxModel {
  readonly nodes: readonly OnnxNode[]
  readonly initializers: readonly OnnxInitializer[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
}

/** IR version 9 and operator set 20 are the first that have Gelu; the engine's own operators are version 1. */
const irVersion = 9
const operatorSets = { '': 20, 'com.microsoft': 1 }

/** Writes a model as protocol buffer bytes (onnx.proto3 of ONNX 1.15). Field numbers are those of the messages there. */
export function writeOnnx(model: OnnxModel): Uint8Array {
  const pbf = new PbfWriter()
  pbf.writeVarintField(1, irVersion)
  pbf.writeStringField(2, 'heddle')
  pbf.writeMessage(7, writeGraph, model)
  for (const [domain, version] of Object.entries(operatorSets))
    pbf.writeMessage(8, writeOperatorSet, { domain, version })
  return pbf.finish()
}

function writeOperatorSet({ domain, version }: { domain: string; version: number }, pbf: PbfWriter): void {
  pbf.writeStringField(1, domain)
  pbf.writeVarintField(2, version)
}

function writeGraph(graph: OnnxModel, pbf: PbfWriter): void {
  for (const node of graph.nodes) pbf.writeMessage(1, writeNode, node)
  pbf.writeStringField(2, 'heddle')
  for (const initializer of graph.initializers) pbf.writeMessage(5, writeInitializer, initializer)
  for (const value of graph.inputs) pbf.writeMessage(11, writeValue, value)
  for (const value of graph.outputs) pbf.writeMessage(12, writeValue, value)
}

function writeNode(node: OnnxNode, pbf: PbfWriter): void {
  for (const name of node.inputs) pbf.writeStringField(1, name)
  for (const name of node.outputs) pbf.writeStringField(2, name)
  pbf.writeStringField(3, node.name)
  pbf.writeStringField(4, node.operator)
  for (const [name, value] of Object.entries(node.attributes)) {
    if (value !== undefined) pbf.writeMessage(5, writeAttribute, { name, value })
  }
  if (node.domain !== '') pbf.writeStringField(7, node.domain)
}

type Attribute = { name: string; value: NonNullable<OnnxAttributes[string]> }

function writeAttribute({ name, value }: Attribute, pbf: PbfWriter): void {
  pbf.writeStringField(1, name)
  const type = { float: 1, int: 2, string: 3, ints: 7 }
  if (typeof value === 'number') {
    pbf.writeVarintField(3, value)
    pbf.writeVarintField(20, type.int)
  } else if (typeof value === 'string') {
    pbf.writeStringField(4, value)
    pbf.writeVarintField(20, type.string)
  } else if ('float' in value) {
    pbf.writeFloatField(2, value.float)
    pbf.writeVarintField(20, type.float)
  } else {
    for (const element of value) pbf.writeVarintField(8, element)
    pbf.writeVarintField(20, type.ints)
  }
}

function writeInitializer({ name, dtype, shape, data }: OnnxInitializer, pbf: PbfWriter): void {
  for (const dimension of shape) pbf.writeVarintField(1, dimension)
  pbf.writeVarintField(2, onnxType[dtype])
  pbf.writeStringField(8, name)
  if (!('location' in data)) {
    pbf.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    return
  }
  for (const [key, value] of Object.entries(data)) pbf.writeMessage(13, writeEntry, { key, value: String(value) })
  pbf.writeVarintField(14, 1) // data_location = EXTERNAL
}

function writeEntry({ key, value }: { key: string; value: string }, pbf: PbfWriter): void {
  pbf.writeStringField(1, key)
  pbf.writeStringField(2, value)
}

function writeValue({ name, dtype, shape }: OnnxValue, pbf: PbfWriter): void {
  pbf.writeStringField(1, name)
  pbf.writeMessage(2, (_value, type) => type.writeMessage(1, writeTensorType, { dtype, shape }), null)
}

function writeTensorType({ dtype, shape }: { dtype: DType; shape: Shape }, pbf: PbfWriter): void {
  pbf.writeVarintField(1, onnxType[dtype])
  pbf.writeMessage(2, writeShape, shape)
}

function writeShape(shape: Shape, pbf: PbfWriter): void {
  for (const dimension of shape) pbf.writeMessage(1, writeDimension, dimension)
}

function writeDimension(dimension: Dimension, pbf: PbfWriter): void {
  if (typeof dimension === 'number') pbf.writeVarintField(1, dimension)
  // ONNX knows names but no expressions: a sum or product stays unknown.
  else if (dimensionNames(dimension)[0] === dimension) pbf.writeStringField(2, dimension)
}
