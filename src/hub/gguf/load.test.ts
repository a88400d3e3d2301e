import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError } from '../../errors.js'
import { Llama, Mistral, Qwen3 } from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import { loadTokenizer } from '../../tokenizers/node.js'
import { loadModel, saveModel } from '../checkpoint.js'
import { memorySource } from './byte-source.js'
import { findGguf } from './find.js'
import { float32, ggufFile, int32s, type TypedValue, text, texts, tinyLlama, uint32 } from './gguf.testing.js'
import { readGgufModel } from './load.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-gguf-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const tokenizer: Readonly<Record<string, TypedValue>> = {
  'tokenizer.ggml.model': text('llama'),
  'tokenizer.ggml.tokens': texts(['<unk>', '\u2581', 'a']),
  'tokenizer.ggml.scores': [9, [float32(0), float32(-1), float32(-2)]],
  'tokenizer.ggml.token_type': int32s([2, 1, 1]),
}

function read(changes: Readonly<Record<string, TypedValue>> = {}, edit = (tensors: typeof given) => tensors) {
  const { metadata } = tinyLlama(changes)
  return readGgufModel(memorySource(ggufFile(metadata, edit(given)), 'x.gguf'))
}
const { tensors: given } = tinyLlama()

describe('a model from a GGUF file', () => {
  it('has the sizes of the metadata, and the coordinates of queries and keys in halves', () => {
    const { model, unused } = read()
    expect(unused).toEqual([])
    expect(model.constructor).toBe(Llama)
    expect(model.config).toMatchObject({
      vocabularySize: 3,
      contextLength: 16,
      layers: 1,
      heads: 2,
      keyValueHeads: 1,
      width: 8,
      innerWidth: 4,
      tiedHead: true,
      rotary: { theta: 10_000 },
    })
    const [{ self_attn: attention }] = model.model.layers
    const row = (name: string, i: number) => {
      const { data } = given.find((tensor) => tensor.name === name)!
      return [...new Float32Array(data.buffer, 4 * 8 * i, 8)]
    }
    const queries = [0, 2, 1, 3, 4, 6, 5, 7].flatMap((i) => row('blk.0.attn_q.weight', i))
    expect([...attention.q_proj.weight.data!]).toEqual(queries)
    expect([...attention.v_proj.weight.data!]).toEqual([0, 1, 2, 3].flatMap((i) => row('blk.0.attn_v.weight', i)))
  })

  it.each<[Record<string, TypedValue>, object]>([
    [
      { 'llama.rope.scaling.type': text('linear'), 'llama.rope.scaling.factor': float32(4) },
      { type: 'linear', factor: 4 },
    ],
    [
      {
        'llama.rope.scaling.type': text('yarn'),
        'llama.rope.scaling.factor': float32(4),
        'llama.rope.scaling.original_context_length': uint32(4),
      },
      { type: 'yarn', factor: 4, originalContextLength: 4 },
    ],
  ])('stretches positions by %j', (changes, scaling) => {
    expect(read({ ...changes, 'llama.rope.freq_base': float32(500) }).model.config.rotary).toEqual({
      theta: 500,
      scaling,
    })
  })

  it('stretches positions by the factors of Llama 3, which Python opens too', () => {
    const data = new Uint8Array(Float32Array.of(1, 8).buffer)
    const { model, unused } = read({}, (tensors) => [
      ...tensors,
      { name: 'rope_freqs.weight', dimensions: [2], type: 0, data },
    ])
    expect(unused).toEqual([])
    expect(model.config.rotary?.scaling).toMatchObject({ type: 'longrope', longFactors: [1, 8], attentionFactor: 1 })
    saveModel(folder, model)
    expect(loadModel(folder).model).toMatchObject({ config: { rotary: model.config.rotary } })
  })

  it('is a Mistral where there is a window', () => {
    const { model } = read({ 'llama.attention.sliding_window': uint32(5) })
    expect(model).toBeInstanceOf(Mistral)
    expect(model.config.slidingWindow).toBe(5)
  })

  it('names what it has no place for, without reading it', () => {
    const extra = { name: 'blk.0.attn_rot.weight', dimensions: [32], type: 20, data: new Uint8Array(18) }
    expect(read({}, (tensors) => [...tensors, extra]).unused).toEqual(['blk.0.attn_rot.weight'])
  })

  it.each<[string, () => unknown, RegExp]>([
    [
      'an unknown architecture',
      () => read({ 'general.architecture': text('rwkv7') }),
      /'rwkv7' is not supported in GGUF; known are llama,/,
    ],
    [
      'a name of every object',
      () => read({ 'general.architecture': text('constructor') }),
      /'constructor' is not supported/,
    ],
    [
      'a missing key',
      () => read({ 'general.architecture': text('qwen2') }),
      /expected the key 'qwen2\.attention\.head_count', which is missing/,
    ],
    ['another type', () => read({ 'llama.block_count': text('1') }), /llama\.block_count: expected a number, got "1"/],
    ['experts', () => read({ 'llama.expert_count': uint32(8) }), /a mixture of experts is not supported/],
    ['one of several parts', () => read({ 'split.count': [2, 3] }), /is one of 3 parts of a model; join them/],
    [
      'half of the coordinates',
      () => read({ 'llama.rope.dimension_count': uint32(2) }),
      /rotary positions of 2 of a head's 4/,
    ],
    ['too many layers', () => read({ 'llama.block_count': uint32(4e9) }), /'num_hidden_layers' does not fit/],
    [
      'a missing layer',
      () => read({ 'llama.block_count': uint32(2) }),
      /'model\.layers\.1\.self_attn\.q_proj\.weight' and 8 more is missing from the weights that its metadata asks for/,
    ],
    [
      'another width',
      () => read({ 'llama.feed_forward_length': uint32(5) }),
      /has the shape \[4, 8\], its metadata asks for \[5, 8\]/,
    ],
    [
      'a type that is not read',
      () => read({}, ([first, ...others]) => [{ ...first, type: 20 }, ...others]),
      /x\.gguf: tensor 'token_embd\.weight' is of the type IQ4_NL, which is not read; take a file of F32, F16,/,
    ],
  ])('is refused with %s', (_name, attempt, message) => {
    expect(attempt).toThrow(CheckpointError)
    expect(attempt).toThrow(message)
  })
})

describe('a path', () => {
  it('may be that of a GGUF file, or of a directory with one', async () => {
    const { metadata, tensors } = tinyLlama(tokenizer)
    const path = join(folder, 'tiny.gguf')
    writeFileSync(path, ggufFile(metadata, tensors))
    for (const given of [path, folder]) {
      const { model, directory } = loadModel(given)
      expect(model).toBeInstanceOf(Llama)
      expect(directory).toBe(path)
      expect((await (await loadTokenizer(given)).encode('a a')).ids).toEqual([1, 2, 1, 2])
    }
    writeFileSync(join(folder, 'other.gguf'), '')
    expect(() => loadModel(folder)).toThrow(/has several GGUF files, name one of them: other\.gguf, tiny\.gguf/)
    expect(() => loadModel(join(folder, 'other.gguf'))).toThrow(/expected a GGUF file/)
    expect(() => loadModel(join(folder, 'none.gguf'))).toThrow(/no such directory/)
    mkdirSync(join(folder, 'empty'))
    expect(findGguf(join(folder, 'empty'))).toBeUndefined()
  })

  it('of a directory with a config.json is that of its own weights', () => {
    const model = new Qwen3({ vocabularySize: 3, contextLength: 4, layers: 1, heads: 1, width: 4, headWidth: 4 })
    initialize(model.parameters(), 1)
    saveModel(folder, model)
    writeFileSync(join(folder, 'tiny.gguf'), ggufFile({}))
    expect(loadModel(folder).model).toBeInstanceOf(Qwen3)
  })
})
