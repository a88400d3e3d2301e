import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { MemoryTokenStore } from '../../src/data/token-store.js'
import { GPT } from '../../src/models/index.js'
import { initialize } from '../../src/nn/index.js'
import { ProgramCache } from '../../src/runtime/index.js'
import { CausalLanguageModelling } from '../../src/training/objectives/causal-lm.js'
import { parseRecipe } from '../../src/training/recipe.js'
import { runRecipe } from '../../src/training/run.js'
import { evaluateObjective } from '../../src/training/trainer.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-documents-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('documents kept apart', () => {
  it('have the loss of each document alone', async () => {
    const sizes = { layers: 1, heads: 2, width: 8, contextLength: 6, vocabularySize: 20 } as const
    const model = new GPT({ ...sizes, dropout: 0, bias: true, activation: 'gelu' })
    initialize(model.parameters(), 3)
    const ids = Uint32Array.from({ length: 40 }, (_, i) => (i * i + 3 * i) % 20)
    const starts = [0, 5, 6, 20, 22, 28, 40]
    const mean = (validation: MemoryTokenStore, packing: boolean) => {
      const { contextLength } = sizes
      const objective = new CausalLanguageModelling({
        model,
        train: ids,
        validation,
        contextLength,
        batchSize: 1,
        seed: 0,
        packing,
      })
      return evaluateObjective(objective, new ProgramCache(9))
    }
    const together = await mean(new MemoryTokenStore(ids, Float64Array.from(starts)), false)
    let sum = 0
    let predictions = 0
    for (const [i, start] of starts.slice(0, -1).entries()) {
      const document = ids.subarray(start, starts[i + 1])
      if (document.length < 2) continue
      const alone = await mean(new MemoryTokenStore(document), true)
      sum += alone.loss * alone.predictions
      predictions += alone.predictions
    }
    expect(together.predictions).toBe(predictions)
    expect(together.loss).toBeCloseTo(sum / predictions, 5)
  })

  it('train from a pattern of files, and go on exactly after an interruption', async () => {
    for (const part of [0, 1, 2]) {
      const words = Array.from({ length: 40 }, (_, i) => ({
        name: 'abcdefg'.slice((i + part) % 5).repeat(1 + (i % 3)),
      }))
      writeFileSync(join(folder, `names-${part}.jsonl`), words.map((word) => JSON.stringify(word)).join('\n'))
    }
    const recipe = parseRecipe('', 'r.yaml', [
      `data.train=["${folder}/names-*.jsonl"]`,
      'data.columns={text: name}',
      'data.packing=false',
      'model.contextLength=8',
      'model.width=16',
      'train.steps=30',
      'train.learningRate=0.01',
    ])
    const whole = await runRecipe({ recipe, directory: join(folder, 'whole') })
    expect(whole.validationLoss).toBeLessThan(1.5) // ln 7 ≈ 1.95 for letters at random
    const interrupt = new AbortController()
    const onStep = ({ step }: { step: number }) => step === 13 && interrupt.abort()
    const directory = join(folder, 'interrupted')
    await runRecipe({ recipe, directory, signal: interrupt.signal, onStep })
    const resumed = await runRecipe({ recipe, directory, resume: true })
    expect(resumed.validationLoss).toBe(whole.validationLoss)
  })
})
