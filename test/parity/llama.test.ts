import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { gradients, toDense } from '../../src/autodiff/index.js'
import { CausalDecoder } from '../../src/generation/decoder.js'
import { generateBatch } from '../../src/generation/generate.js'
import { findTensor, input } from '../../src/graph/index.js'
import { crossEntropy } from '../../src/graph/operations/index.js'
import { loadModel, saveModel } from '../../src/hub/checkpoint.js'
import { Llama, Mistral, Qwen2, Qwen3 } from '../../src/models/index.js'
import { compile, evaluate, float32, type TensorValue } from '../../src/runtime/index.js'
import { python, runReference } from '../e2e/python.js'
import { distance, fixturePath, largestDifference, norm, readFixture, readTensors } from './fixtures.js'

interface Expected {
  ids: number[][]
  targets: number[][]
  logits: number[]
  loss: number
  prompts: number[][]
  maxNewTokens: number
  noRepeatNgramSize: number
  greedy: number[][]
}

const variants: readonly [name: string, model: typeof Llama][] = [
  ['llama', Llama],
  ['llama-biases', Llama],
  ['llama-published', Llama],
  ['mistral', Mistral],
  ['qwen2', Qwen2],
  ['qwen3', Qwen3],
]

const folder = mkdtempSync(join(tmpdir(), 'heddle-llama-'))
afterAll(() => rmSync(folder, { recursive: true }))

function load(path: string): Llama {
  const { model, unused } = loadModel(path)
  expect(unused).toEqual([])
  if (model instanceof Llama) return model
  throw new TypeError(`expected a Llama, got a ${model.constructor.name}`)
}

const int64 = (rows: readonly number[][]) => ({
  data: BigInt64Array.from(rows.flat(), BigInt),
  shape: [rows.length, rows[0].length],
})

async function logitsOf(model: Llama, ids: readonly number[][]): Promise<Float32Array> {
  const tokens = input('ids', 'int64', ['batch', 'sequence'])
  return float32(await evaluate(model.forward(tokens), { ids: int64(ids) }))
}

describe.each(variants)("transformers' %s", (name, Model) => {
  const expected = readFixture<Expected>(`llama/${name}/expected.json`)

  it('computes the same', async () => {
    const model = load(fixturePath(`llama/${name}`))
    expect(model.constructor).toBe(Model)
    expect(largestDifference(await logitsOf(model, expected.ids), expected.logits)).toBeLessThan(1e-4)
  })

  it('has the same loss and gradients, with numbers and with names as dimensions', async () => {
    const model = load(fixturePath(`llama/${name}`))
    const reference = readTensors(`llama/${name}/gradients.safetensors`)
    expect(reference.size).toBeGreaterThan(10)
    const { ids, targets } = expected
    for (const shape of [
      [ids.length, ids[0].length],
      ['batch', 'sequence'],
    ]) {
      const inputs = { ids: input('ids', 'int64', shape), targets: input('targets', 'int64', shape) }
      const loss = crossEntropy(model.forward(inputs.ids), inputs.targets)
      const found = gradients(loss, model.parameters())
      const dense = Object.fromEntries(Object.entries(found).map(([path, gradient]) => [path, toDense(gradient)]))
      const program = await compile({ inputs, outputs: { loss, ...dense } })
      const result: Record<string, TensorValue> = await program.run({ ids: int64(ids), targets: int64(targets) })
      await program.dispose()
      expect(Math.abs(float32(result.loss)[0] / expected.loss - 1)).toBeLessThan(1e-5)
      for (const [path, value] of reference) {
        expect(distance(float32(result[path]), float32(value)) / norm(float32(value)), path).toBeLessThan(2e-5)
      }
    }
  })

  it('computes something else when two weights are swapped', async () => {
    const model = load(fixturePath(`llama/${name}`))
    const [{ self_attn: a }, { self_attn: b }] = model.model.layers
    ;[a.k_proj.weight.data, b.k_proj.weight.data] = [b.k_proj.weight.data, a.k_proj.weight.data]
    expect(largestDifference(await logitsOf(model, expected.ids), expected.logits)).toBeGreaterThan(1e-2)
  })

  it('generates the same 64 tokens, in a ragged batch', async () => {
    const decoder = await CausalDecoder.create(load(fixturePath(`llama/${name}`)))
    const { prompts, maxNewTokens, noRepeatNgramSize } = expected
    const found = await generateBatch(decoder, prompts, { maxNewTokens, noRepeatNgramSize })
    await decoder.dispose()
    expect(found.map(({ ids }) => ids)).toEqual(expected.greedy)
  })

  it('is the same once it is saved', async () => {
    const model = load(fixturePath(`llama/${name}`))
    saveModel(join(folder, name), model)
    const again = load(join(folder, name))
    expect(again.constructor).toBe(Model)
    expect(again.config).toEqual(model.config)
    expect(await logitsOf(again, expected.ids)).toEqual(await logitsOf(model, expected.ids))
  })

  it('shows the attention weights of every head of queries, which a window cuts', async () => {
    const model = load(fixturePath(`llama/${name}`))
    const tokens = input('ids', 'int64', [1, 9])
    const weights = findTensor([model.forward(tokens)], 'layers.1.self_attn.weights')
    const { data, shape } = await evaluate(weights, { ids: int64([expected.ids[0].slice(0, 9)]) })
    const { heads, slidingWindow = 9, slidingLayers } = model.config
    const width = slidingLayers?.[1] === false ? 9 : slidingWindow
    expect(shape).toEqual([1, heads, 9, 9])
    for (const [i, weight] of [...data].entries()) {
      const [query, key] = [Math.floor(i / 9) % 9, i % 9]
      expect(Number(weight) > 0, `${query} to ${key}`).toBe(key <= query && key > query - width)
    }
  })
})

interface Opened {
  class: string
  problems: string[]
  logits: number[]
  greedy: number[][]
}

if (python === undefined) console.log('skipped: HEDDLE_PYTHON or python3 with torch and transformers is not there')

describe.skipIf(python === undefined)("Python's transformers", { timeout: 300_000 }, () => {
  it('open every model that is saved, without a complaint, with equal logits and texts', async () => {
    const requests = variants.map(([name]) => {
      const { ids, prompts } = readFixture<Expected>(`llama/${name}/expected.json`)
      const directory = join(folder, `${name}-python`)
      saveModel(directory, load(fixturePath(`llama/${name}`)))
      return { directory, ids, prompts }
    })
    const opened = runReference<Opened[]>('check_causal.py', [], requests)
    for (const [i, [name, Model]] of variants.entries()) {
      const { logits, greedy } = readFixture<Expected>(`llama/${name}/expected.json`)
      expect(opened[i]).toMatchObject({ class: `${Model.name}ForCausalLM`, problems: [] })
      expect(largestDifference(opened[i].logits, logits), name).toBeLessThan(1e-4)
      expect(opened[i].greedy).toEqual(greedy)
    }
  })
})
