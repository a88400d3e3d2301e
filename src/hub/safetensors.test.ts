import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import type { SafetensorsTensor } from './safetensors.js'
import { parseSafetensorsHeader, serializeSafetensors, tensorToFloat32 } from './safetensors.js'

// Written by Python's safetensors 0.8.0, `safetensors.torch.save(tensors, {'format': 'pt'})`, with the tensors of
// `tensors()` below, half = [1/3, 65504, 6e-8, -2] and brain = [1/3, -3e38, 1e-30].
const reference = Buffer.from(
  'UAIAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJpZHMiOnsiZHR5cGUiOiJJNjQiLCJzaGFwZSI6WzEsM10sImRhdGFfb2Zmc2V0' +
    'cyI6WzAsMjRdfSwiZG91YmxlIjp7ImR0eXBlIjoiRjY0Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbMjQsNDBdfSwiZW1wdHkiOnsiZHR5cGUi' +
    'OiJGMzIiLCJzaGFwZSI6WzAsM10sImRhdGFfb2Zmc2V0cyI6WzQwLDQwXX0sInNjYWxhciI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbXSwiZGF0YV9v' +
    'ZmZzZXRzIjpbNDAsNDRdfSwidHJhbnNmb3JtZXIuaC4wLnciOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzNdLCJkYXRhX29mZnNldHMiOls0NCw1Nl19' +
    'LCJ0cmFuc2Zvcm1lci5oLjEudyI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMiwyXSwiZGF0YV9vZmZzZXRzIjpbNTYsNzJdfSwiYnJhaW4iOnsiZHR5' +
    'cGUiOiJCRjE2Iiwic2hhcGUiOlszXSwiZGF0YV9vZmZzZXRzIjpbNzIsNzhdfSwiaGFsZiI6eyJkdHlwZSI6IkYxNiIsInNoYXBlIjpbNF0sImRhdGFf' +
    'b2Zmc2V0cyI6Wzc4LDg2XX0sIm1hc2siOnsiZHR5cGUiOiJCT09MIiwic2hhcGUiOlszXSwiZGF0YV9vZmZzZXRzIjpbODYsODldfX0gAAAAAAAAAAAB' +
    'AAAAAAAAAAIAAAAAAAAAVVVVVVVV1T8AAAAAAAAAQAAAKEIAAACAwhYBAAAA4EAAAMA/AAAQwM3MzD3msWF/qz5i/6INVTX/ewEAAMABAAE=',
  'base64',
)

function tensors(): SafetensorsTensor[] {
  return [
    { name: 'transformer.h.1.w', dtype: 'F32', shape: [2, 2], data: Float32Array.of(1.5, -2.25, 0.1, 3e38) },
    { name: 'transformer.h.0.w', dtype: 'F32', shape: [3], data: Float32Array.of(-0, 1e-40, 7) },
    { name: 'half', dtype: 'F16', shape: [4], data: Uint16Array.of(0x3555, 0x7bff, 0x0001, 0xc000) },
    { name: 'brain', dtype: 'BF16', shape: [3], data: Uint16Array.of(0x3eab, 0xff62, 0x0da2) },
    { name: 'double', dtype: 'F64', shape: [2], data: Float64Array.of(1 / 3, 2) },
    { name: 'ids', dtype: 'I64', shape: [1, 3], data: BigInt64Array.of(0n, 1n, 2n) },
    { name: 'mask', dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) },
    { name: 'scalar', dtype: 'F32', shape: [], data: Float32Array.of(42) },
    { name: 'empty', dtype: 'F32', shape: [0, 3], data: new Float32Array(0) },
  ]
}

/** A file with this header text, followed by `dataLength` bytes. */
function file(header: unknown, dataLength: number, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + text.length + dataLength)
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true)
  bytes.set(text, 8)
  return bytes
}

const parse = (bytes: Uint8Array, fileLength = bytes.length) =>
  parseSafetensorsHeader(bytes, fileLength, 'm.safetensors')
const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
})

describe('serializeSafetensors', () => {
  it('writes the bytes that Python writes', () => {
    expect(Buffer.concat([...serializeSafetensors(tensors())])).toEqual(reference)
  })

  it('yields the memory of the tensors, not a copy', () => {
    const memory = new Float32Array(10)
    const data = memory.subarray(4, 6)
    const chunks = [...serializeSafetensors([{ name: 'a', dtype: 'F32', shape: [2], data }])]
    expect(chunks).toHaveLength(2)
    expect(chunks[1].buffer).toBe(memory.buffer)
    expect([chunks[1].byteOffset, chunks[1].byteLength]).toEqual([16, 8])
  })

  it('refuses two tensors of one name and data of another size', () => {
    const data = new Float32Array(2)
    const tensor: SafetensorsTensor = { name: 'a', dtype: 'F32', shape: [2], data }
    expect(() => [...serializeSafetensors([tensor, tensor])]).toThrow('cannot save two tensors under the name "a"')
    expect(() => [...serializeSafetensors([{ ...tensor, shape: [3] }])]).toThrow('a: F32 [3] takes 12 bytes, got 8')
  })
})

describe('parseSafetensorsHeader', () => {
  it('reads what Python wrote', () => {
    const header = parse(reference)
    expect(header.metadata).toEqual({ format: 'pt' })
    expect(header.dataStart).toBe(600)
    const order = [
      'ids',
      'double',
      'empty',
      'scalar',
      'transformer.h.0.w',
      'transformer.h.1.w',
      'brain',
      'half',
      'mask',
    ]
    expect(header.tensors.map(({ name }) => name)).toEqual(order)
    expect(header.tensors[5]).toEqual({ name: 'transformer.h.1.w', dtype: 'F32', shape: [2, 2], begin: 656, end: 672 })
  })

  it('needs only the header of a long file', () => {
    const bytes = file({ a: f32(0, 4_000_000_000) }, 0)
    expect(parse(bytes, bytes.length + 4_000_000_000).tensors[0].shape).toEqual([1_000_000_000])
  })

  it.each<[problem: string, bytes: Uint8Array, message: RegExp]>([
    ['too short a file', new Uint8Array(5), /^m\.safetensors: expected a safetensors file, got 5 bytes/],
    ['an absurd header length', file('{}', 0, 2n ** 40n), /claims 1099511627776 bytes, more than the 100000000/],
    ['a header beyond the file', file('{}', 3, 6n), /claims 6 bytes but only 5 follow/],
    ['a header that is not text', file('\u00ff', 0, 1n), /the header is not UTF-8 text/],
    ['a header that is not JSON', file('{"a": }', 0), /unexpected character "}" at 1:7/],
    ['a header that is not an object', file('[]', 0), /expected the header to be a JSON object/],
    ['a name twice', file('{"a":1,"a":2}', 0), /duplicate key "a" at 1:8/],
    ['an entry that is not an object', file({ a: 3 }, 0), /tensor "a": expected dtype, shape and data_offsets, got 3/],
    [
      'an unknown dtype',
      file({ a: { ...f32(0, 4), dtype: 'F31' } }, 4),
      /tensor "a": unknown dtype "F31", known are .*F32/,
    ],
    ['a fractional shape', file({ a: f32(0, 4, [0.5, 2]) }, 4), /tensor "a": expected shape .* got \[0\.5,2\]/],
    ['a negative offset', file({ a: f32(-4, 0) }, 4), /tensor "a": expected data_offsets/],
    ['offsets the wrong way', file({ a: f32(4, 0, [1]) }, 4), /tensor "a": expected data_offsets/],
    ['offsets beyond the file', file({ a: f32(0, 8) }, 4), /tensor "a": its data ends at byte 8 but the file has 4/],
    ['a size that is not the shape', file({ a: f32(0, 8, [3]) }, 8), /tensor "a": F32 \[3\] takes 12 bytes, .* span 8/],
    ['an overlap', file({ a: f32(0, 8), b: f32(4, 12) }, 12), /tensor "b" overlaps the tensor before it/],
    ['a hole', file({ a: f32(0, 4), b: f32(8, 12) }, 12), /tensor "b" leaves a hole of 4 bytes/],
    ['a hole at the start', file({ a: f32(4, 8) }, 8), /tensor "a" leaves a hole of 4 bytes/],
    ['bytes after the last tensor', file({ a: f32(0, 4) }, 6), /the tensors take 4 bytes of data but the file has 6/],
    ['metadata that is not text', file({ __metadata__: { x: 1 } }, 0), /__metadata__\.x: expected a string, got 1/],
  ])('refuses %s', (_problem, bytes, message) => {
    expect(() => parse(bytes)).toThrow(CheckpointError)
    expect(() => parse(bytes)).toThrow(message)
  })

  it('never accepts a header whose tensors lie outside the data, whatever bytes were changed', () => {
    fc.assert(
      fc.property(fc.nat(599), fc.nat(255), (at, value) => {
        const bytes = Uint8Array.from(reference)
        bytes[at] = value
        try {
          for (const { begin, end } of parse(bytes).tensors)
            expect(begin >= 8 && begin <= end && end <= bytes.length).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('tensorToFloat32', () => {
  const values = new Map(
    parse(reference).tensors.map(({ name, dtype, begin, end }) => [
      name,
      [...tensorToFloat32(reference.subarray(begin, end), dtype)],
    ]),
  )

  // torch: tensor.float().tolist()
  it.each([
    ['half', [0.333251953125, 65504, 2 ** -24, -2]],
    ['brain', [0.333984375, Math.fround(-3.00405527047391e38), Math.fround(9.98402083170343e-31)]],
    ['double', [Math.fround(1 / 3), 2]],
    ['transformer.h.0.w', [-0, Math.fround(1e-40), 7]],
    ['ids', [0, 1, 2]],
    ['mask', [1, 0, 1]],
    ['empty', []],
  ])('reads %s as torch does', (name, expected) => {
    expect(values.get(name)).toEqual(expected)
  })

  it('shares the memory of aligned F32 and copies the rest', () => {
    const buffer = new Uint8Array(16)
    expect(tensorToFloat32(buffer.subarray(4, 12), 'F32').buffer).toBe(buffer.buffer)
    const unaligned = new Uint8Array(13)
    unaligned.set(new Uint8Array(Float32Array.of(1.5, -3).buffer), 5)
    expect([...tensorToFloat32(unaligned.subarray(5), 'F32')]).toEqual([1.5, -3])
  })

  it('reads negative integers of every width', () => {
    const bytes = (view: ArrayBufferView) => new Uint8Array(view.buffer)
    expect([...tensorToFloat32(bytes(BigInt64Array.of(-5n)), 'I64')]).toEqual([-5])
    expect([...tensorToFloat32(bytes(Int32Array.of(-5)), 'I32')]).toEqual([-5])
    expect([...tensorToFloat32(bytes(Int16Array.of(-5)), 'I16')]).toEqual([-5])
    expect([...tensorToFloat32(bytes(Int8Array.of(-5)), 'I8')]).toEqual([-5])
    expect([...tensorToFloat32(bytes(Uint32Array.of(4e9)), 'U32')]).toEqual([4e9])
  })

  it('says which dtype it cannot read', () => {
    expect(() => tensorToFloat32(new Uint8Array(4), 'F8_E4M3', 'a')).toThrow(
      'a: dtype F8_E4M3 cannot be read as float32',
    )
  })
})
