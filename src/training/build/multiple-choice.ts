import { type Choice, readChoices } from '../../data/choices.js'
import { holdOut } from '../../data/hold-out.js'
import type { ChoiceModel } from '../../models/index.js'
import { encodePairs } from '../../tokenizers/pairs.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { ExampleObjective } from '../objectives/examples.js'
import { type ChoiceExample, MultipleChoice } from '../objectives/multiple-choice.js'
import { collect } from './collect.js'
import { makeEncoder, openCheckpoint, startingPoint } from './model.js'
import { makeTokenizer } from './tokenizer.js'

/** Sets up the choice among continuations. */
export async function buildMultipleChoice({ recipe, checkpoint, onWarning }: BuildOptions): Promise<Ingredients> {
  const { data, train: settings } = recipe
  const all = await collect(readChoices(data.train, data), data.train)
  const { train, validation } =
    data.validation === undefined
      ? holdOut(all, settings.seed)
      : { train: all, validation: await collect(readChoices(data.validation, data), data.validation) }
  const from = startingPoint(recipe, checkpoint)
  const opened = from === undefined ? undefined : await openCheckpoint(from)
  const tokenizer = opened?.tokenizer ?? (await makeTokenizer(recipe.tokenizer, () => textsOf(train)))
  const source = opened?.model ?? tokenizer.vocabularySize
  const model = makeEncoder(source, recipe, (family, config) => family.multipleChoice?.(config))
  const encode = (choices: readonly Choice[]) => encodeChoices(choices, { model, tokenizer, ...data, onWarning })
  const examples = { train: await encode(train), validation: await encode(validation) }
  const task = new MultipleChoice(model, mostChoices([...train, ...validation]))
  const objective = new ExampleObjective(task, { ...settings, ...examples })
  return { model, tokenizer, objective, size: { count: train.length, unit: 'examples' } }
}

/** The number of choices of the question that has most. */
export function mostChoices(questions: readonly Choice[]): number {
  return questions.reduce((most, { choices }) => Math.max(most, choices.length), 0)
}

/** How questions become examples. */
export interface EncodeChoicesOptions {
  readonly model: ChoiceModel
  readonly tokenizer: Tokenizer
  /** Most tokens of a question with a choice (default as many as the model sees). */
  readonly maxLength?: number | undefined
  readonly onWarning?: ((message: string) => void) | undefined
}

/** Questions beside each of their choices as token ids; of what is too long the longer text is cut, with a warning. */
export async function encodeChoices(
  questions: readonly Choice[],
  { model, tokenizer, maxLength = model.config.contextLength, onWarning }: EncodeChoicesOptions,
): Promise<ChoiceExample[]> {
  const pairs = questions.flatMap(({ prompt, choices }) => choices.map((choice): [string, string] => [prompt, choice]))
  const encodings = await encodePairs(tokenizer, pairs, { maxLength: Math.min(maxLength, model.config.contextLength) })
  let next = 0
  let cut = 0
  const examples = questions.map(({ choices, label }) => {
    const sequences = encodings.slice(next, next + choices.length)
    next += choices.length
    if (sequences.some(({ removed }) => removed.first + removed.second > 0)) cut++
    return {
      choices: sequences.map(({ ids, segments }) => ({
        ids: Int32Array.from(ids),
        segments: Uint8Array.from(segments),
      })),
      target: label,
    }
  })
  if (cut > 0) onWarning?.(`${questions[0].file}: ${cut} of ${questions.length} questions are too long and were cut`)
  return examples
}

async function* textsOf(questions: readonly Choice[]) {
  for (const { prompt, choices } of questions) yield { text: [prompt, ...choices].join('\n'), ends: true }
}
