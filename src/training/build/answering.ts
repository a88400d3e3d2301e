import { holdOut, validationShare } from '../../data/hold-out.js'
import { type Question, readQuestions } from '../../data/squad.js'
import { DataError } from '../../errors.js'
import type { QuestionAnswerer } from '../../models/index.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { type AnsweredWindow, Answering, markAnswer } from '../objectives/answering.js'
import { encodeQuestions, windowSizes } from '../objectives/answering-windows.js'
import { ExampleObjective } from '../objectives/examples.js'
import type { Recipe } from '../recipe.js'
import { collect } from './collect.js'
import { type ModelWithTokenizer, makeEncoder, openCheckpoint, startingPoint } from './model.js'
import { makeTokenizer } from './tokenizer.js'

/** Sets up the search for answers in texts. */
export async function buildAnswering({ recipe, checkpoint, onWarning }: BuildOptions): Promise<Ingredients> {
  const { data, train: settings } = recipe
  const { train, validation } = await readData(recipe)
  for (const question of [...train, ...validation]) checkAnswered(question)
  const learnable = train.filter(
    ({ answers, isImpossible }) => isImpossible || answers.some(({ start }) => start !== undefined),
  )
  warnOfUnlearnable(train.length - learnable.length, data.train, onWarning)
  const { model, tokenizer } = await answerer(recipe, checkpoint, learnable)
  const encode = async (questions: readonly Question[]): Promise<AnsweredWindow[]> =>
    (await encodeQuestions(questions, tokenizer, windowSizes(data, model.config))).map(markAnswer)
  const windows = { train: await encode(learnable), validation: await encode(validation) }
  const objective = new ExampleObjective(new Answering(model), { ...settings, ...windows })
  return { model, tokenizer, objective, size: { count: learnable.length, unit: 'examples' } }
}

/**
 * Parts questions by the articles that they are about: those of the first articles, and those of the rest. At least one
 * article is in each part.
 *
 * @param share of the articles that are in the first part, between 0 and 1
 * @throws DataError where there is only one article
 */
export function splitArticles(questions: readonly Question[], share: number): { first: Question[]; rest: Question[] } {
  const articles = [...new Set(questions.map(({ article }) => article))]
  if (articles.length < 2) {
    throw new DataError(`${questions[0].file}: there is one article only, which cannot be parted for validation`)
  }
  const cut = Math.min(Math.max(1, Math.floor(articles.length * share)), articles.length - 1)
  const chosen = new Set(articles.slice(0, cut))
  const isFirst = ({ article }: Question) => chosen.has(article)
  return { first: questions.filter(isFirst), rest: questions.filter((question) => !isFirst(question)) }
}

async function readData({ data, train }: Recipe): Promise<{ train: Question[]; validation: Question[] }> {
  const all = await collect(readQuestions(data.train, data), data.train)
  if (data.validation !== undefined) {
    return { train: all, validation: await collect(readQuestions(data.validation, data), data.validation) }
  }
  const isSingle = all.every(({ article }) => article === all[0].article)
  if (isSingle && data.trainArticles === undefined) return holdOut(all, train.seed)
  const { first, rest } = splitArticles(all, data.trainArticles ?? 1 - validationShare)
  return { train: first, validation: rest }
}

/** @throws DataError where nothing is said of the answer */
export function checkAnswered({ answers, isImpossible, file, place }: Question): void {
  if (answers.length > 0 || isImpossible) return
  throw new DataError(`${file}: ${place}: expected an answer, or that there is none (is_impossible), got neither`)
}

function warnOfUnlearnable(count: number, files: string | readonly string[], onWarning: BuildOptions['onWarning']) {
  if (count === 0) return
  const questions = count === 1 ? 'one question is' : `${count} questions are`
  onWarning?.(`${[files].flat().join(', ')}: ${questions} left out: the answer is in words that the context lacks`)
}

async function answerer(
  recipe: Recipe,
  checkpoint: string | undefined,
  questions: readonly Question[],
): Promise<ModelWithTokenizer<QuestionAnswerer>> {
  const from = startingPoint(recipe, checkpoint)
  const { model: source, tokenizer } =
    from === undefined ? await newTokenizer(recipe, questions) : await openCheckpoint(from)
  return { model: makeEncoder(source, recipe, (family, config) => family.answering(config)), tokenizer }
}

async function newTokenizer(
  recipe: Recipe,
  questions: readonly Question[],
): Promise<{ model: number; tokenizer: Tokenizer }> {
  const tokenizer = await makeTokenizer(recipe.tokenizer, () => textsOf(questions))
  return { model: tokenizer.vocabularySize, tokenizer }
}

/** The texts to train a tokenizer on, contexts once. */
async function* textsOf(questions: readonly Question[]) {
  const texts = new Set(questions.flatMap(({ context, question }) => [context, question]))
  for (const text of texts) yield { text, ends: true }
}
