import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { DataError } from '../../errors.js'
import { parseRecipe } from '../recipe.js'
import { buildAnswering } from './answering.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-answering-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** An article about one number, with so many questions. */
function article(number: number, questions: number) {
  const context = `the number of this text is ${number}, and no other.`
  const answers = [{ text: String(number), answer_start: context.indexOf(String(number)) }]
  const qas = Array.from({ length: questions }, (_, i) => ({
    id: `${number}-${i}`,
    question: 'which number?',
    answers,
  }))
  return { title: `about ${number}`, paragraphs: [{ context, qas }] }
}

function write(name: string, articles: object[]): string {
  const file = join(folder, name)
  writeFileSync(file, JSON.stringify({ data: articles }))
  return file
}

async function buildWith(sets: readonly string[]) {
  const warnings: string[] = []
  const sizes = ['model.layers=1', 'model.heads=1', 'model.width=8', 'tokenizer.type=wordpiece']
  const recipe = parseRecipe('objective: answering', 'test', [...sizes, 'tokenizer.vocabularySize=60', ...sets])
  const built = await buildAnswering({ recipe, onWarning: (message) => warnings.push(message) })
  const validated = [...built.objective.evaluationBatches()].reduce((sum, { examples }) => sum + examples, 0)
  return { ...built, validated, warnings }
}

const file = write(
  'ten.json',
  [1, 1, 1, 1, 3, 1, 1, 1, 5, 7].map((count, i) => article(i + 10, count)),
)

describe('buildAnswering', () => {
  it('learns from the questions about the first articles and validates on the others', async () => {
    const { size, validated, warnings } = await buildWith([`data.train=${file}`, 'data.trainArticles=0.8'])
    expect([size.count, validated, warnings]).toEqual([10, 12, []])
  })

  it('holds out the last tenth of the articles where nothing is said', async () => {
    const { size, validated } = await buildWith([`data.train=${file}`])
    expect([size.count, validated]).toEqual([15, 7])
  })

  it('validates on a file of its own, and on questions about the only article', async () => {
    const own = await buildWith([`data.train=${file}`, `data.validation=${write('one.json', [article(99, 4)])}`])
    expect([own.size.count, own.validated]).toEqual([22, 4])
    const single = await buildWith([`data.train=${write('twenty.json', [article(99, 20)])}`])
    expect([single.size.count, single.validated]).toEqual([18, 2])
  })

  it('leaves out what cannot be learnt, and says so', async () => {
    const free = article(50, 2)
    free.paragraphs[0].qas[0].answers = [{ text: 'fifty', answer_start: -1 }]
    const { size, warnings } = await buildWith([`data.train=${write('free.json', [free, article(51, 1)])}`])
    expect(size.count).toBe(1)
    expect(warnings).toEqual([expect.stringMatching(/free\.json: one question is left out/)])
  })

  it('refuses an answer that is not in its context, and a question without any', async () => {
    const wrong = article(60, 1)
    wrong.paragraphs[0].qas[0].answers = [{ text: 'sixty', answer_start: 3 }]
    const built = buildWith([`data.train=${write('wrong.json', [wrong])}`])
    await expect(built).rejects.toThrow(DataError)
    await expect(built).rejects.toThrow(/wrong\.json: data\[0\]\.paragraphs\[0\]\.qas\[0\]: .*"sixty"/)
    const { answers: _answers, ...bare } = article(61, 1).paragraphs[0].qas[0]
    const unanswered = { ...article(61, 1), paragraphs: [{ context: 'a text', qas: [bare] }] }
    await expect(buildWith([`data.train=${write('bare.json', [article(1, 1), unanswered])}`])).rejects.toThrow(
      /bare\.json: data\[1\]\.paragraphs\[0\]\.qas\[0\]: expected an answer, or that there is none/,
    )
  })
})
