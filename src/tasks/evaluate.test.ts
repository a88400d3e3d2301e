import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fixturePath } from '../../test/parity/fixtures.js'
import { CheckpointError, DataError, TokenizerError } from '../errors.js'
import { evaluateCausalLm } from './evaluate.js'
import { nextTokenLogits } from './logits.js'
import { saveRandomModel, temporaryFolder } from './saved-model.testing.js'

const at = temporaryFolder()
saveRandomModel(at('model'), 'abcd')

/** Writes a text and returns its path. */
function write(text: string): string {
  writeFileSync(at('text.txt'), text)
  return at('text.txt')
}

describe('evaluateCausalLm', () => {
  it('means −log P over every token but the first, in windows of the context', async () => {
    const text = 'abcdabdcacbdbacdda'
    const ids = [...text].map((character) => ' abcd'.indexOf(character))
    const losses: number[] = []
    for (const [start, end] of [
      [0, 8],
      [8, 16],
      [16, 17],
    ]) {
      const { rows } = await nextTokenLogits(at('model'), ids.slice(start, end))
      for (const [i, row] of rows.entries()) {
        const total = [...row].reduce((sum, value) => sum + Math.exp(value), 0)
        losses.push(Math.log(total) - row[ids[start + i + 1]])
      }
    }
    const loss = losses.reduce((sum, value) => sum + value, 0) / 17
    const report = await evaluateCausalLm(at('model'), write(text))
    expect(report).toEqual({
      examples: 3,
      tokens: 17,
      metrics: { loss: expect.closeTo(loss, 5), perplexity: expect.closeTo(Math.exp(loss), 4) },
    })
  })

  it('says what is missing', async () => {
    await expect(evaluateCausalLm(at('model'), write('a'))).rejects.toThrow(DataError)
    await expect(evaluateCausalLm(at('model'), write(''))).rejects.toThrow(DataError)
    await expect(evaluateCausalLm(at('model'), at('no.txt'))).rejects.toThrow(/cannot read .*no\.txt: no such file/)
    await expect(evaluateCausalLm(at('no'), write('ab'))).rejects.toThrow(CheckpointError)
    await expect(evaluateCausalLm(fixturePath('gpt2/tied'), write('ab'))).rejects.toThrow(TokenizerError)
  })
})
