import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { evaluateTagging } from './evaluate-tagging.js'
import { temporaryFolder } from './saved-model.testing.js'
import { saveLookupTagger } from './text-tagger.testing.js'

const at = temporaryFolder()
saveLookupTagger(at('tagger'))

/** Writes lines, where `/` stands for a tab; returns the file's name. */
function write(name: string, lines: string): string {
  writeFileSync(at(name), `${lines.replaceAll('/', '\t').replaceAll(' ', '\n')}\n`)
  return at(name)
}

describe('evaluateTagging', () => {
  it('counts whole entities of the right type as right', async () => {
    // Found: PER 0-2, LOC 3-4 instead of 3-5 and a PER that is none; the second sentence is right.
    const file = write('all.conll', 'Ada/B-PER Lovelace/I-PER in/O San/B-LOC in/I-LOC Ada/O  北/B-LOC 京/I-LOC')
    const { examples, metrics } = await evaluateTagging(at('tagger'), file)
    expect(examples).toBe(2)
    expect(metrics.accuracy).toBeCloseTo(6 / 8, 10)
    expect(metrics.precision).toBeCloseTo(2 / 4, 10)
    expect(metrics.recall).toBeCloseTo(2 / 3, 10)
    expect(metrics.f1).toBeCloseTo(4 / 7, 10)
    expect(metrics.macroF1).toBeCloseTo((2 / 3 + 2 / 4) / 2, 10)
  })

  it('reads sentences in IOB1 too', async () => {
    const file = write('iob1.conll', 'Ada/I-PER Lovelace/I-PER Ada/B-PER in/O San/I-LOC')
    expect((await evaluateTagging(at('tagger'), file)).metrics).toMatchObject({ accuracy: 1, f1: 1 })
  })

  it('reads the columns that the model was trained with', async () => {
    saveLookupTagger(at('columns'), { columns: { text: 1, tag: 0 } })
    const file = write('columns.conll', 'B-PER/Ada/x O/in/y B-LOC/San/z')
    expect((await evaluateTagging(at('columns'), file)).metrics.f1).toBe(1)
  })

  it('loses nothing of sentences that are longer than the context', async () => {
    const file = write('long.conll', 'San/B-LOC Francisco/I-LOC in/O '.repeat(20).trim())
    expect((await evaluateTagging(at('tagger'), file)).metrics).toMatchObject({ accuracy: 1, f1: 1 })
  })

  it('says where a tag is that the model does not have', async () => {
    const file = write('unknown.conll', 'in/O  in/O Ada/B-ORG')
    await expect(evaluateTagging(at('tagger'), file)).rejects.toThrow(
      `${file}:4: the tag 'B-ORG' of 'Ada' is not one of the labels: O, B-PER, I-PER, B-LOC, I-LOC`,
    )
  })
})
