import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CheckpointError, HeddleError } from '../../errors.js'
import { memorySource } from './byte-source.js'
import { float32, ggufFile, int32s, type TestTensor, text, texts, tinyLlama, uint32 } from './gguf.testing.js'
import { readGgufHeader } from './header.js'
import { readGgufModel } from './load.js'
import { readGgufTokenizer } from './tokenizer.js'

const header = (bytes: Uint8Array) => readGgufHeader(memorySource(bytes, 'x.gguf'))
const tensor = (changes: Partial<TestTensor> = {}): TestTensor => ({
  name: 'a',
  dimensions: [32, 2],
  type: 2,
  data: new Uint8Array(36),
  ...changes,
})

describe('the header of a GGUF file', () => {
  it.each([2, 3])('is read with all kinds of values, version %d', (version) => {
    const { metadata, tensors, ...rest } = header(
      ggufFile(
        {
          a: [0, 200],
          b: [1, -100],
          c: [2, 60_000],
          d: [3, -30_000],
          e: [4, 4e9],
          f: [5, -2e9],
          g: float32(0.5),
          h: [7, true],
          i: text('naïve 🐳'),
          j: [10, 2n ** 40n],
          k: [11, -(2n ** 40n)],
          l: [12, 0.1],
          m: texts(['', 'x']),
          n: int32s([1, -2, 3]),
          o: [
            9,
            [
              [7, true],
              [7, false],
            ],
          ],
          p: [
            9,
            [
              [10, 5],
              [10, 6],
            ],
          ],
        },
        [tensor(), tensor({ name: 'b', type: 0, dimensions: [3], data: new Uint8Array(12) })],
        version,
      ),
    )
    expect(rest).toEqual({ version })
    expect(Object.fromEntries(metadata)).toEqual({
      a: 200,
      b: -100,
      c: 60_000,
      d: -30_000,
      e: 4e9,
      f: -2e9,
      g: 0.5,
      h: true,
      i: 'naïve 🐳',
      j: 2 ** 40,
      k: -(2 ** 40),
      l: 0.1,
      m: ['', 'x'],
      n: Int32Array.of(1, -2, 3),
      o: [true, false],
      p: Float64Array.of(5, 6),
    })
    expect([...tensors.values()]).toMatchObject([
      { name: 'a', shape: [2, 32], typeName: 'Q4_0', bytes: 36 },
      { name: 'b', shape: [3], typeName: 'F32', bytes: 12 },
    ])
    expect(tensors.get('b')!.begin - tensors.get('a')!.begin).toBe(64)
    expect(tensors.get('a')!.begin % 32).toBe(0)
  })

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /expected a GGUF file, which begins with 'GGUF', got ""/],
    ['another file', new TextEncoder().encode('PK\x03\x04 and more'), /got "PK\\u0003\\u0004"/],
    ['version 1', ggufFile({}, [], 1), /expected version 2 or 3, little-endian, got version 1/],
    ['big-endian numbers', ggufFile({}, [], 0x03000000), /got a big-endian file/],
    [
      'an unknown type of value',
      ggufFile({ k: [4, 1] }).with(24 + 9, 99),
      /k: expected a type of value from 0 to 12, got 99/,
    ],
    ['lists of lists', ggufFile({ k: [9, [[9, [[4, 1]]]]] }), /k: expected a list of numbers, truth values or texts/],
    [
      'an alignment of 0',
      ggufFile({ 'general.alignment': uint32(0) }),
      /general\.alignment: expected a number of bytes/,
    ],
    ['a tensor twice', ggufFile({}, [tensor(), tensor()]), /the tensor 'a' is there twice/],
    ['five axes', ggufFile({}, [tensor({ dimensions: [32, 1, 1, 1, 1] })]), /claims 5 axes/],
    [
      'cut rows',
      ggufFile({}, [tensor({ dimensions: [33, 2] })]),
      /rows of 33 elements do not divide into the 32 of a block/,
    ],
    [
      'bytes beyond the end',
      ggufFile({}, [tensor({ dimensions: [32, 9] })]),
      /its 162 bytes end at \d+, but the file has/,
    ],
    ['endless sizes', ggufFile({}, [tensor({ dimensions: [2 ** 40, 2 ** 40, 2 ** 40] })]), /it is cut short/],
    ['an offset beyond the end', ggufFile({}, [tensor({ offset: 2 ** 52 })]), /its 36 bytes end at/],
    ['shared bytes', ggufFile({}, [tensor(), tensor({ name: 'b', offset: 0 })]), /the tensor 'b' overlaps/],
  ])('is refused with %s', (_name, bytes, message) => {
    expect(() => header(bytes)).toThrow(CheckpointError)
    expect(() => header(bytes)).toThrow(message)
  })

  it.each<[string, number, RegExp]>([
    ['tensors', 8, /claims \d+ tensors, more than the 65536 allowed|the number of tensors is/],
    ['keys', 16, /claims \d+ keys, more than the 65536 allowed|the number of keys is/],
    ["a text's bytes", 24, /expected \d+ bytes at|the length of a text is/],
    ["a list's elements", 24 + 8 + 1 + 4 + 4, /claims \d+ elements, but only|the length of a list is/],
  ])('allocates nothing for a number of %s that is only claimed', (_name, position, message) => {
    for (const claimed of [2n ** 30n, 2n ** 52n, 2n ** 64n - 1n]) {
      const bytes = ggufFile({ k: texts(['a', 'b']) })
      new DataView(bytes.buffer).setBigUint64(position, claimed, true)
      expect(() => header(bytes)).toThrow(CheckpointError)
      expect(() => header(bytes)).toThrow(message)
    }
  })
})

describe('a damaged GGUF file', () => {
  const { metadata, tensors } = tinyLlama({
    'tokenizer.ggml.model': text('llama'),
    'tokenizer.ggml.tokens': texts(['<unk>', 'a', 'ab']),
    'tokenizer.ggml.scores': [9, [float32(0), float32(-1), float32(-2)]],
    'tokenizer.ggml.token_type': int32s([2, 1, 1]),
  })
  const whole = ggufFile(metadata, tensors)

  /** Whatever is wrong, it is said by an error of ours. */
  function expectTyped(bytes: Uint8Array): void {
    for (const read of [readGgufModel, readGgufTokenizer]) {
      try {
        read(memorySource(bytes, 'x.gguf'))
      } catch (error) {
        if (!(error instanceof HeddleError)) throw error
      }
    }
  }

  it('is refused where it is cut, wherever that is', () => {
    expect(readGgufModel(memorySource(whole, 'x.gguf')).unused).toEqual([])
    for (let length = 0; length < whole.length - 32; length += 7) {
      expect(() => readGgufModel(memorySource(whole.slice(0, length), 'x.gguf')), String(length)).toThrow(
        CheckpointError,
      )
    }
  })

  it('gives a typed error or a model, whatever bytes are changed', { timeout: 60_000 }, () => {
    const change = fc.tuple(fc.nat(whole.length - 1), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 127, 128, 255)))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = whole.slice()
        for (const [position, byte] of changes) bytes[position] = byte
        expectTyped(bytes)
      }),
      { numRuns: 2000, seed: 1 },
    )
  })

  it('gives a typed error for any 8 bytes in a row that claim another number', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 8), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (position, claimed) => {
        const bytes = whole.slice()
        new DataView(bytes.buffer).setBigUint64(position, claimed, true)
        expectTyped(bytes)
      }),
      { numRuns: 1000, seed: 2 },
    )
  })
})
