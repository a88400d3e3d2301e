import { describe, expect, it } from 'vitest'
import { float } from '../graph/index.js'
import { type OnnxModel, writeOnnx } from './onnx.js'

type Field = bigint | Uint8Array

/**
 * Reads a protocol buffer message as the wire format defines it, with no knowledge of ONNX: field number → its values,
 * varints as signed 64-bit integers, everything else as bytes.
 */
function decode(bytes: Uint8Array): Record<number, Field[]> {
  const fields: Record<number, Field[]> = {}
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, value)
    }
  }
  const take = (length: number) => {
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const kind = tag & 7
    if (kind !== 0 && kind !== 2 && kind !== 5) throw new RangeError(`unexpected wire type ${kind}`)
    const value = kind === 0 ? varint() : take(kind === 5 ? 4 : Number(varint()))
    const number = tag >> 3
    fields[number] ??= []
    fields[number].push(value)
  }
  return fields
}

const bytesOf = (field: Field): Uint8Array => {
  if (field instanceof Uint8Array) return field
  throw new TypeError('expected bytes')
}
const message = (field: Field) => decode(bytesOf(field))
const text = (field: Field) => new TextDecoder().decode(bytesOf(field))
const texts = (fields: Field[] | undefined) => (fields ?? []).map(text)

const model: OnnxModel = {
  nodes: [
    {
      operator: 'FusedMatMul',
      domain: 'com.microsoft',
      name: 'scores',
      inputs: ['x', '', 'w'],
      outputs: ['scores'],
      attributes: {
        alpha: float(-0.125),
        transB: 1,
        axis: -1,
        mode: 'naïve',
        perm: [1, 0, -300],
        absent: undefined,
        zero: 0,
      },
    },
    { operator: 'Split', domain: '', name: 'parts', inputs: ['scores'], outputs: ['parts', 'parts/2'], attributes: {} },
  ],
  initializers: [
    { name: 'w', dtype: 'float32', shape: [2, 1], data: Float32Array.of(9, 1.5, -2).subarray(1) },
    { name: 'ids', dtype: 'int64', shape: [], data: BigInt64Array.of(-5n) },
    {
      name: 'big',
      dtype: 'float32',
      shape: [300],
      data: { location: 'model.safetensors', offset: 2 ** 33, length: 1200 },
    },
  ],
  inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 0, 300, 'past + 1', '2*batch'] }],
  outputs: [
    { name: 'parts', dtype: 'bool', shape: [] },
    { name: 'parts/2', dtype: 'int64', shape: ['sequence'] },
  ],
}

describe('writeOnnx', () => {
  const written = decode(writeOnnx(model))
  const graph = message(written[7][0])

  it('writes the version, the operator sets and one graph', () => {
    expect(written[1]).toEqual([9n])
    expect(texts(written[2])).toEqual(['heddle'])
    const sets = written[8].map(message).map((set) => [texts(set[1]).join(), set[2][0]])
    expect(sets).toEqual([
      ['', 20n],
      ['com.microsoft', 1n],
    ])
  })

  it('writes nodes with inputs, outputs, name, operator and domain', () => {
    const nodes = graph[1].map(message)
    expect(nodes.map((node) => [1, 2, 3, 4, 7].map((field) => texts(node[field])))).toEqual([
      [['x', '', 'w'], ['scores'], ['scores'], ['FusedMatMul'], ['com.microsoft']],
      [['scores'], ['parts', 'parts/2'], ['parts'], ['Split'], []],
    ])
  })

  it('writes attributes with their types', () => {
    const attributes = message(graph[1][0])[5].map(message)
    const values = attributes.map(({ 1: name, 2: real, 3: integer, 4: string, 8: integers, 20: type }) => {
      const number = real && new DataView(bytesOf(real[0]).slice().buffer).getFloat32(0, true)
      return [text(name[0]), Number(type[0]), number ?? integer?.[0] ?? (string ? text(string[0]) : integers)]
    })
    expect(values).toEqual([
      ['alpha', 1, -0.125],
      ['transB', 2, 1n],
      ['axis', 2, -1n],
      ['mode', 3, 'naïve'],
      ['perm', 7, [1n, 0n, -300n]],
      ['zero', 2, 0n],
    ])
  })

  it('writes constants as the bytes of their own part of an array', () => {
    const [floats, ids] = graph[5].map(message)
    expect([floats[1], floats[2], texts(floats[8])]).toEqual([[2n, 1n], [1n], ['w']])
    expect(new Float32Array(bytesOf(floats[9][0]).slice().buffer)).toEqual(Float32Array.of(1.5, -2))
    expect([ids[1], ids[2]]).toEqual([undefined, [7n]])
    expect(new BigInt64Array(bytesOf(ids[9][0]).slice().buffer)).toEqual(BigInt64Array.of(-5n))
  })

  it('writes where the bytes of a constant in a file are', () => {
    const external = message(graph[5][2])
    const entries = external[13].map(message).map((entry) => [text(entry[1][0]), text(entry[2][0])])
    expect(Object.fromEntries(entries)).toEqual({ location: 'model.safetensors', offset: '8589934592', length: '1200' })
    expect([external[14], external[9]]).toEqual([[1n], undefined])
  })

  it('writes types with sizes, names, and neither for sums and products', () => {
    const types = [...graph[11], ...graph[12]].map(message).map((value) => {
      const tensor = message(message(value[2][0])[1][0])
      const dimensions = (message(tensor[2][0])[1] ?? []).map(message)
      return [
        text(value[1][0]),
        tensor[1][0],
        dimensions.map(({ 1: size, 2: name }) => size?.[0] ?? (name && text(name[0]))),
      ]
    })
    expect(types).toEqual([
      ['x', 1n, ['batch', 0n, 300n, undefined, undefined]],
      ['parts', 9n, []],
      ['parts/2', 7n, ['sequence']],
    ])
  })
})
