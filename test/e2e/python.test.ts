import { describe, expect, it } from 'vitest'
import { loadTokenizer } from '../../src/tokenizers/node.js'
import { largestDifference } from '../parity/fixtures.js'
import { heddleJson, type TrainOutput, temporaryFolder, writeTinyTraining } from './command.js'
import { python, runReference } from './python.js'

interface PythonModel {
  class: string
  parameters: number
  missingKeys: string[]
  unexpectedKeys: string[]
  mismatchedKeys: string[]
  logits: number[][][]
}

const at = temporaryFolder()
const { recipeFile } = writeTinyTraining(at, { model: { layers: 2, dropout: 0.1 }, train: { learningRate: 1e-2 } })

if (python === undefined) console.log('skipped: HEDDLE_PYTHON or python3 with torch and transformers is not there')

describe.skipIf(python === undefined)("Python's transformers", () => {
  it.each([
    { bias: false, activation: 'gelu' },
    { bias: true, activation: 'gelu_new' },
  ])('opens what heddle train saves, with equal logits (%j)', async ({ bias, activation }) => {
    const sets = ['--set', `model.bias=${bias}`, `model.activation=${activation}`]
    const out = at(`bias-${bias}`)
    const { checkpoint, parameters } = await heddleJson<TrainOutput>('train', recipeFile, ...sets, '--out', out)
    const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
    const options = ['--model', out, '--ids', ids.join()]
    const { logits } = await heddleJson<{ logits: number[][] }>('logits', ...options)
    const found = runReference<PythonModel>('check_checkpoint.py', [checkpoint, JSON.stringify(ids)])
    expect(largestDifference(found.logits[0].flat(), logits.flat())).toBeLessThan(1e-4)
    // Python's GPT-2 always has biases: zeros where the model has none.
    const width = 16
    const zeros = bias ? 0 : 2 * (2 * width + 3 * width + width + 4 * width + width) + width
    expect({ ...found, logits: [] }).toEqual({
      class: 'GPT2LMHeadModel',
      parameters: parameters + zeros,
      missingKeys: [],
      unexpectedKeys: [],
      mismatchedKeys: [],
      logits: [],
    })
  })

  it('reads its tokenizer.json, and encodes every text to the same ids', async () => {
    const { checkpoint } = await heddleJson<TrainOutput>('train', recipeFile, '--out', at('tokens'))
    const texts = ['the old ship.\nnaïve — sea', '', ' \n\n\t\r\n', 'ÄÖ 鯨 🐳 the', 'a <unk> b', 'i\u0308 ï']
    const found = runReference<{ ids: number[]; decoded: string }[]>('check_tokenizer.py', [checkpoint], texts)
    const tokenizer = await loadTokenizer(checkpoint)
    const encodings = await tokenizer.encodeBatch(texts)
    expect(found.map(({ ids }) => ids)).toEqual(encodings.map(({ ids }) => ids))
    // Python leaves special tokens out unless it is told otherwise.
    const decoded = encodings.map(({ ids }) => tokenizer.decode(ids, { skipSpecialTokens: true }))
    expect(found.map((text) => text.decoded)).toEqual(decoded)
    expect(decoded[0]).toBe(texts[0])
  })
})
