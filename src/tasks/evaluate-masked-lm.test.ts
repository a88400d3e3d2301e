import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { writeDataSettings } from '../hub/data-settings.js'
import { evaluateMaskedLm } from './evaluate-masked-lm.js'
import { saveRandomBert } from './mask-filler.testing.js'
import { temporaryFolder } from './saved-model.testing.js'

const at = temporaryFolder()

function write(name: string, content: string): string {
  writeFileSync(at(name), content)
  return at(name)
}

const sentences = 'The sea sang far. A whale, a ship. The ships sang. A sea. '
const documents = write('documents.txt', `${sentences}\n\n`.repeat(8))

describe('evaluateMaskedLm', () => {
  const directory = at('bert')
  saveRandomBert(directory)

  it('measures a random model near the loss of its opinions, the same for the same seed', async () => {
    const report = await evaluateMaskedLm(directory, documents)
    expect(await evaluateMaskedLm(directory, documents)).toEqual(report)
    const { metrics, examples } = report
    // 8 documents of 18 tokens with separators between, in windows of 22 that end with sentences.
    expect(examples).toBeGreaterThanOrEqual(7)
    expect(metrics.perplexity).toBeCloseTo(Math.exp(metrics.loss), 3)
    expect(metrics.loss).toBeGreaterThan(metrics.unigramLoss)
    expect(metrics.nextSentenceLoss).toBeUndefined()
    const other = await evaluateMaskedLm(directory, documents, { seed: 1 })
    expect(other.metrics.loss).not.toBe(metrics.loss)
  })

  it('hides the share that is asked for', async () => {
    // With everything hidden what is guessed is every token once: the unigram loss is that of the whole text.
    const { metrics } = await evaluateMaskedLm(directory, documents, { share: 0.99999 })
    const counts = { the: 2, sea: 2, sang: 2, far: 1, '.': 4, a: 3, whale: 1, ',': 1, ship: 2, '##s': 1 }
    const total = Object.values(counts).reduce((a, b) => a + b, 0)
    const entropy = -Object.values(counts).reduce((sum, n) => sum + (n / total) * Math.log(n / total), 0)
    expect(metrics.unigramLoss).toBeCloseTo(entropy, 4)
    expect(metrics.unigramAccuracy).toBeCloseTo(4 / total, 6)
  })

  it('reads documents apart where the training did', async () => {
    saveRandomBert(at('apart'))
    writeDataSettings(at('apart'), { packing: false })
    // A document with what stands around it has 20 of the 24 tokens that the model reads.
    expect((await evaluateMaskedLm(at('apart'), documents)).examples).toBe(8)
    writeDataSettings(at('apart'), { maxLength: 8, packing: false })
    // With room for six no two of its four sentences fit together.
    expect((await evaluateMaskedLm(at('apart'), documents)).examples).toBe(8 * 4)
  })

  it('measures pairs too where the model judges them and there are documents', async () => {
    saveRandomBert(at('pretraining'), true)
    const { metrics } = await evaluateMaskedLm(at('pretraining'), documents)
    expect(metrics.nextSentenceLoss).toBeGreaterThan(0.3)
    expect(metrics.nextSentenceAccuracy).toBeGreaterThanOrEqual(0)
    const single = await evaluateMaskedLm(at('pretraining'), write('one.txt', sentences))
    expect(single.metrics.nextSentenceLoss).toBeUndefined()
    expect(single.metrics.loss).toBeGreaterThan(0)
  })

  it('refuses a text without text', async () => {
    await expect(evaluateMaskedLm(directory, write('empty.txt', '\n'))).rejects.toThrow(DataError)
  })
})
