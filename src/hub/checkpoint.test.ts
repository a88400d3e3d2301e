import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import { GPT, type GPTConfig } from '../models/index.js'
import { Embedding, initialize, type Module } from '../nn/index.js'
import { loadModel, saveModel } from './checkpoint.js'
import { type CheckpointTensor, readSafetensors, writeFileAtomically } from './files.js'
import { writeRun } from './run-directory.js'
import { serializeSafetensors } from './safetensors.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-checkpoint-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const sizes: GPTConfig = { vocabularySize: 7, contextLength: 4, layers: 2, heads: 2, width: 6, innerWidth: 10 }

function makeModel(changes: Partial<GPTConfig> = {}): GPT {
  const model = new GPT({ ...sizes, ...changes })
  initialize(model.parameters(), 3)
  // First values of biases and norms are all alike: make every one its own.
  for (const { data } of Object.values(model.parameters())) for (const i of data!.keys()) data![i] += i / 100
  return model
}

const weightsOf = (model: Module) =>
  Object.fromEntries(Object.entries(model.parameters()).map(([name, { shape, data }]) => [name, { shape, data }]))

type Tensors = Map<string, Pick<CheckpointTensor, 'shape' | 'data'>>

/** Rewrites the weights of a checkpoint. */
function changeTensors(directory: string, change: (tensors: Tensors) => Tensors | undefined): void {
  const tensors: Tensors = readSafetensors(join(directory, 'model.safetensors'))
  writeTensors(join(directory, 'model.safetensors'), change(tensors) ?? tensors)
}

function writeTensors(path: string, tensors: Tensors): void {
  const entries = [...tensors].map(([name, { shape, data }]) => ({ name, dtype: 'F32' as const, shape, data }))
  writeFileAtomically(path, serializeSafetensors(entries))
}

/** Rewrites keys of config.json; undefined takes one away. */
function changeConfig(directory: string, changes: Record<string, unknown>): void {
  const path = join(directory, 'config.json')
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }))
}

describe('saveModel and loadModel', () => {
  it.each<[name: string, changes: Partial<GPTConfig>]>([
    ['with biases', { bias: true }],
    ['without biases', { bias: false, activation: 'gelu' }],
    ['with a head of its own', { tiedHead: false, activation: 'silu', epsilon: 1e-6, deviation: 0.5 }],
    ['with dropout', { dropout: { embedding: 0.1, attention: 0.2, residual: 0.3 } }],
  ])('keep a GPT %s as it is', (_name, changes) => {
    const model = makeModel(changes)
    saveModel(join(folder, 'new/model'), model)
    const loaded = loadModel(join(folder, 'new/model'))
    expect(loaded).toMatchObject({ directory: join(folder, 'new/model'), unused: [] })
    expect(weightsOf(loaded.model)).toEqual(weightsOf(model))
    const written = loaded.model instanceof GPT ? loaded.model.config : undefined
    const dropout = changes.dropout ?? { embedding: 0, attention: 0, residual: 0 }
    expect(written).toMatchObject({ ...sizes, ...changes, dropout })
    saveModel(join(folder, 'again'), loaded.model)
    for (const name of readdirSync(join(folder, 'again'))) {
      const [first, again] = ['new/model', 'again'].map((place) => readFileSync(join(folder, place, name)))
      expect(again.equals(first), name).toBe(true)
    }
  })

  it('replaces an earlier model and leaves nothing else behind', () => {
    saveModel(folder, makeModel({ tiedHead: false }))
    saveModel(folder, makeModel())
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'generation_config.json', 'model.safetensors'])
    expect(loadModel(folder).unused).toEqual([])
  })

  it('refuse a model without values, and one of no known family', () => {
    expect(() => saveModel(folder, new GPT(sizes))).toThrow(CheckpointError)
    expect(() => saveModel(folder, new GPT(sizes))).toThrow(/'transformer\.wte\.weight' has no values to save/)
    expect(() => saveModel(folder, new Embedding(2, 3))).toThrow(/Embedding has no checkpoint format/)
  })

  it('load the best checkpoint of a run', () => {
    const [best, last] = [makeModel(), makeModel({ layers: 1 })]
    saveModel(join(folder, 'checkpoint-1'), best)
    saveModel(join(folder, 'checkpoint-2'), last)
    writeRun(folder, { status: 'stopped', last: 'checkpoint-2', best: 'checkpoint-1' })
    const { directory, model } = loadModel(folder)
    expect(directory).toBe(join(folder, 'checkpoint-1'))
    expect(weightsOf(model)).toEqual(weightsOf(best))
  })
})

describe('loadModel', () => {
  it('reads shards', () => {
    const model = makeModel()
    saveModel(folder, model)
    const tensors = [...readSafetensors(join(folder, 'model.safetensors'))]
    const shards = {
      'model-00001-of-00002.safetensors': tensors.slice(0, 5),
      'model-00002-of-00002.safetensors': tensors.slice(5),
    }
    const weight_map: Record<string, string> = {}
    for (const [name, part] of Object.entries(shards)) {
      writeTensors(join(folder, name), new Map(part))
      for (const [tensor] of part) weight_map[tensor] = name
    }
    rmSync(join(folder, 'model.safetensors'))
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }))
    expect(weightsOf(loadModel(folder).model)).toEqual(weightsOf(model))
    rmSync(join(folder, 'model-00002-of-00002.safetensors'))
    expect(() => loadModel(folder)).toThrow(/the shard model-00002-of-00002\.safetensors is missing/)
  })

  it('ignores mask buffers and the copy of a tied head, and names what else it has no place for', () => {
    const model = makeModel()
    saveModel(folder, model)
    changeTensors(folder, (tensors) => {
      tensors.set('transformer.h.0.attn.bias', { shape: [1, 1, 4, 4], data: new Float32Array(16) })
      tensors.set('transformer.h.1.attn.masked_bias', { shape: [], data: Float32Array.of(-1e4) })
      tensors.set('lm_head.weight', { shape: [7, 6], data: new Float32Array(42) })
      tensors.set('value_head.weight', { shape: [2], data: new Float32Array(2) })
      return undefined
    })
    const loaded = loadModel(folder)
    expect(loaded.unused).toEqual(['value_head.weight'])
    expect(weightsOf(loaded.model)).toEqual(weightsOf(model))
  })

  it("reads names without 'transformer.' in front", () => {
    const model = makeModel()
    saveModel(folder, model)
    changeTensors(
      folder,
      (tensors) => new Map([...tensors].map(([name, tensor]) => [name.replace('transformer.', ''), tensor])),
    )
    expect(weightsOf(loadModel(folder).model)).toEqual(weightsOf(model))
  })

  it.each<[name: string, damage: (directory: string) => void, message: RegExp]>([
    [
      'a missing tensor',
      (directory) =>
        changeTensors(directory, (tensors) => {
          tensors.delete('transformer.h.1.mlp.c_fc.weight')
          return undefined
        }),
      /the tensor 'transformer\.h\.1\.mlp\.c_fc\.weight' is missing from the weights that config\.json asks for/,
    ],
    [
      'missing layers',
      (directory) => changeConfig(directory, { n_layer: 3 }),
      /'transformer\.h\.2\..*' and 11 more is missing/,
    ],
    [
      'another size of the vocabulary',
      (directory) => changeConfig(directory, { vocab_size: 8 }),
      /'transformer\.wte\.weight' has the shape \[7, 6\], config\.json asks for \[8, 6\]/,
    ],
    [
      'a transposed weight',
      (directory) =>
        changeTensors(directory, (tensors) => {
          const name = 'transformer.h.0.attn.c_attn.weight'
          return tensors.set(name, { shape: [18, 6], data: tensors.get(name)!.data })
        }),
      /'transformer\.h\.0\.attn\.c_attn\.weight' has the shape \[18, 6\], config\.json asks for \[6, 18\]/,
    ],
    [
      'a head that is not there',
      (directory) => changeConfig(directory, { tie_word_embeddings: false }),
      /'lm_head\.weight' is missing/,
    ],
    [
      'another architecture',
      (directory) => changeConfig(directory, { model_type: 'mamba' }),
      /model_type 'mamba' is not supported; known are gpt2/,
    ],
    [
      'no architecture',
      (directory) => changeConfig(directory, { model_type: undefined }),
      /expected an object with a model_type/,
    ],
    [
      'an unknown activation',
      (directory) => changeConfig(directory, { activation_function: 'relu6' }),
      /activation_function 'relu6' is unknown; known are gelu,/,
    ],
    [
      'a missing size',
      (directory) => changeConfig(directory, { n_embd: undefined }),
      /'n_embd' does not fit a GPT-2 model/,
    ],
    [
      'a size that is none',
      (directory) => changeConfig(directory, { n_layer: 2.5 }),
      /'n_layer' does not fit a GPT-2 model/,
    ],
    [
      'another attention',
      (directory) => changeConfig(directory, { scale_attn_by_inverse_layer_idx: true }),
      /'scale_attn_by_inverse_layer_idx' does not fit/,
    ],
    [
      'a broken config',
      (directory) => writeFileSync(join(directory, 'config.json'), '{"model_type": "gpt2",}'),
      /config\.json:1:23: expected JSON/,
    ],
    [
      'no weights',
      (directory) => rmSync(join(directory, 'model.safetensors')),
      /expected model\.safetensors or model\.safetensors\.index\.json/,
    ],
    [
      'a pickle',
      (directory) => renameSync(join(directory, 'model.safetensors'), join(directory, 'pytorch_model.bin')),
      /pytorch_model\.bin is a Python pickle, .* is not read; convert it/,
    ],
  ])('says what is wrong: %s', (_name, damage, message) => {
    saveModel(folder, makeModel())
    damage(folder)
    expect(() => loadModel(folder)).toThrow(CheckpointError)
    expect(() => loadModel(folder)).toThrow(message)
  })
})
