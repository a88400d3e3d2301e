import { z } from 'zod'
import { dataFormats } from '../data/formats.js'
import { checkpointKey, type ModelOptions, modelSchema, modelSection, withModelType } from './recipe-models.js'
import {
  flag,
  fraction,
  integer,
  isMap,
  list,
  notNegative,
  oneOf,
  positive,
  section,
  share,
  text,
} from './recipe-parts.js'
import { scheduleNames } from './schedules.js'

export type * from './recipe-models.js'

const characters = section({ type: z.literal('characters').default('characters'), separate: flag().optional() })

const tokenizerTypes = ['bpe', 'wordpiece', 'unigram'] as const

const trainedTokenizer = section({
  // The message names all types, because this is also the schema that judges a type that does not exist.
  type: z.enum(tokenizerTypes, list(['characters', ...tokenizerTypes])),
  lowercase: flag().optional(),
  vocabularySize: integer(1).default(8000),
  separate: flag().optional(),
})

const tokenizerDirectory = section({ from: text('a directory with tokenizer.json') })

const noTokenizer = z.undefined('no tokenizer, because model.from brings its own').optional()

const files = () => {
  const expected = 'a file, a pattern such as corpus/*.jsonl, or a list of them'
  const name = text(expected)
  return z.union([name, z.array(name, expected).min(1, expected)], expected)
}

/** A column of records by its name; in a table without a header by its position, from 0. */
const column = () => {
  const expected = 'the name of a column, or its position from 0'
  return z.union([text(expected), z.int(expected).min(0, expected)], expected)
}

/** The parts that data is split into: to train on, to validate on and, where there is a third, for a test. */
const split = () => {
  const expected = 'two or three shares that add up to 1, such as [0.9, 0.05, 0.05]'
  return z
    .array(share(), expected)
    .min(2, expected)
    .max(3, expected)
    .refine((shares) => Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 1e-6, expected)
}

/** Every part that a column can play in an objective. */
const parts = {
  text: column().optional(),
  pair: column().optional(),
  label: column().optional(),
  tag: column().optional(),
  question: column().optional(),
  context: column().optional(),
  answers: column().optional(),
  choices: column().optional(),
  head: column().optional(),
  tail: column().optional(),
  source: column().optional(),
  target: column().optional(),
}

const data = section({
  train: files(),
  validation: files().optional(),
  format: oneOf(dataFormats).optional(),
  columns: section(parts).optional(),
  header: flag().optional(),
  quotes: flag().optional(),
  packing: flag().optional(),
  validationTokens: integer(1).optional(),
  maxLength: integer(2).optional(),
  stride: integer(0).optional(),
  trainArticles: share().optional(),
  split: split().optional(),
  splitSeed: integer(0).optional(),
  lowercase: flag().optional(),
  prefix: text('a text to put before every source').optional(),
  validationExamples: integer(0).optional(),
  problemType: oneOf(['single_label_classification', 'multi_label_classification', 'regression']).optional(),
}).check(({ value: { split, validation }, issues }) => {
  if (split === undefined || validation === undefined) return
  const message = 'nothing beside data.validation (--set data.split=null)'
  issues.push({ code: 'custom', path: ['split'], message, input: split })
})

const beta = fraction()

const train = section({
  steps: integer(1).optional(),
  epochs: positive().optional(),
  minutes: positive().optional(),
  batchSize: integer(1).default(12),
  batchTokens: integer(1).optional(),
  accumulate: integer(1).default(1),
  optimizer: oneOf(['adamw']).default('adamw'),
  learningRate: positive().default(1e-3),
  betas: z.tuple([beta, beta], 'two numbers [beta1, beta2]').default([0.9, 0.99]),
  epsilon: z.number('a number of 1e-15 or more').min(1e-15, 'a number of 1e-15 or more').optional(),
  labelSmoothing: fraction().optional(),
  layerDecay: positive().max(1, 'a number above 0 and at most 1').optional(),
  freezeLayers: integer(0).optional(),
  classWeights: z
    .union([z.literal('balanced'), z.record(z.string(), positive())], 'balanced, or a weight for each label')
    .optional(),
  weightDecay: notNegative().default(0.1),
  schedule: oneOf(scheduleNames).default('cosine'),
  warmup: notNegative()
    .refine((value) => value < 1 || Number.isInteger(value), 'a whole number of steps, or a fraction below 1')
    .default(0.05),
  minimumLearningRate: notNegative().optional(),
  clip: notNegative().default(1),
  evaluateEvery: integer(1).default(250),
  checkpointEvery: integer(1).default(250),
  keep: integer(1).default(1),
  average: integer(2).optional(),
  metric: text('loss, or a figure that the objective measures such as accuracy').default('loss'),
  patience: integer(1).optional(),
  logEvery: integer(1).default(10),
  seed: integer(0).default(1337),
})
  .check(({ value: { learningRate, minimumLearningRate }, issues }) => {
    if ((minimumLearningRate ?? 0) <= learningRate) return
    const message = `at most train.learningRate (${learningRate})`
    issues.push({ code: 'custom', path: ['minimumLearningRate'], message, input: minimumLearningRate })
  })
  .transform((options) => ({
    ...options,
    minimumLearningRate: options.minimumLearningRate ?? options.learningRate / 10,
  }))

/** What a model can learn. */
const objectives = [
  'causal-lm',
  'masked-lm',
  'classification',
  'tagging',
  'answering',
  'multiple-choice',
  'relation',
  'instruction',
  'seq2seq',
  'denoising',
] as const

const masking = section({
  share: fraction().default(0.15),
  wholeWords: flag().default(false),
  nextSentence: flag().default(false),
})

/** The ways to damage texts that are to be restored. */
const denoisingTypes = ['span-corruption', 'bart'] as const

const denoising = section({
  type: oneOf(denoisingTypes).default('span-corruption'),
  share: share().optional(),
  meanSpan: z.number('a number of 1 or more').min(1, 'a number of 1 or more').default(3),
  permuteSentences: flag().optional(),
})

const sample = section({
  prompts: z.array(text('texts to continue'), 'a list of texts').min(1, 'a list of texts'),
  maxNewTokens: integer(1).default(100),
  temperature: notNegative().default(0.8),
})

/** The keys of `train` that say how long to train; the one that was set last counts. */
const durations = ['steps', 'epochs', 'minutes'] as const

/** The key names of every section, to point from a key in the wrong place to the right one. */
export const keysOfSections = {
  model: modelSection,
  tokenizer: trainedTokenizer,
  data,
  masking,
  denoising,
  train: train.in,
  sample,
}

/** How tokens are hidden: which share, whether whole words are, and whether pairs of sentences are learnt from too. */
export type MaskingOptions = z.infer<typeof masking>

/**
 * How texts are damaged that an encoder–decoder learns to restore. `span-corruption` (T5) replaces spans by sentinels and
 * asks for what was there, `bart` replaces each span by one mask, shuffles sentences (`permuteSentences`, default true) and
 * asks for the whole text. `share` of the tokens is in spans (default 0.15 for T5, 0.3 for BART), of `meanSpan` tokens on
 * the average.
 */
export type DenoisingOptions = z.infer<typeof denoising>

/**
 * How text becomes token ids: single characters, a tokenizer to be trained, or one from a directory. `separate` trains one
 * for the sources and one for the targets of parallel texts.
 */
export type TokenizerOptions =
  | z.infer<typeof characters>
  | z.infer<typeof trainedTokenizer>
  | z.infer<typeof tokenizerDirectory>

/**
 * The files to learn from and to be judged by; without `validation`, the end of `train` is split off. `format`, `columns`,
 * `header` and `quotes` say how they are read where that does not show; `packing: false` keeps documents apart in windows
 * of their own; `maxLength` is the most tokens of an example, `stride` how many two windows of a longer one have in common;
 * `trainArticles` is the share of the articles of `train`, the first ones, whose questions are learnt from where there is no
 * `validation`: the rest validates;
 * `problemType` says whether texts have one label, several, or a number; `validationTokens` is the most that is validated on
 * (default 1,048,576).
 *
 * Of parallel texts `train` and `validation` are each a list of a source and a target file, or tables. `split` parts them at
 * random by `splitSeed` (default `train.seed`) where there is no `validation`; a third part is for a test. `lowercase` is
 * for both sides, `prefix` stands before every source; `validationExamples` is the most that is translated at an evaluation, to
 * measure BLEU (default 500, the first ones).
 */
export type DataOptions = z.infer<typeof data>

/**
 * How to train. Exactly one of `steps` (of the optimizer), `epochs` and `minutes` is there. One step takes
 * batchSize · accumulate windows or examples, or for objectives with examples of their own `batchTokens` tokens instead of
 * `batchSize` examples (of parallel texts those of both sides). `layerDecay` multiplies the learning rate once for every
 * layer that lies above a parameter, `freezeLayers` keeps the embeddings and that many layers as they are, `classWeights`
 * weighs the examples of labels (`balanced`: inversely to how often they occur). `epsilon` is Adam's (default 1e-8),
 * `labelSmoothing` the ε of encoder–decoders (default 0.1 for `seq2seq`, 0 for `denoising`). `warmup` and
 * `minimumLearningRate` are those of the schedule; `clip` is the largest norm of the gradient, 0 for none; `evaluateEvery`,
 * `checkpointEvery` and `logEvery` count steps. The newest `keep` checkpoints are kept, and the best (by `metric`) and the
 * last one always; `patience` is how many evaluations in a row may pass without a better one before the training ends. At
 * the end the mean of the last `average` checkpoints is evaluated, which is the result where it is better than any.
 */
export type TrainOptions = z.infer<typeof train>

/**
 * What the model writes at each evaluation: continuations of prompts, sampled at a temperature; encoder–decoders write
 * what is likeliest token by token.
 */
export type SampleOptions = z.infer<typeof sample>

/** A whole training, checked and with every default filled in. */
export interface Recipe {
  model: ModelOptions
  /** Undefined where `model.from` brings it. */
  tokenizer?: TokenizerOptions | undefined
  data: DataOptions
  /**
   * What the model learns: `causal-lm` predicts the next token, `masked-lm` hidden ones, `classification` the label of a
   * text, `tagging` those of its words, `answering` where in a text the answer to a question is, `multiple-choice` which
   * continuation is right, `relation` what two marked spans have to do with each other, `instruction` the answers of
   * conversations, `seq2seq` texts from texts, `denoising` texts from damaged ones.
   */
  objective: (typeof objectives)[number]
  /** How tokens are hidden, for `masked-lm`. */
  masking?: MaskingOptions | undefined
  /** How texts are damaged, for `denoising`. */
  denoising?: DenoisingOptions | undefined
  train: TrainOptions
  /** Texts to write at each evaluation, to see what the model has learnt. */
  sample?: SampleOptions | undefined
}

/** The schema of a recipe whose sections are all there, see {@link withDefaults}. */
export function recipeSchema(document: Record<string, unknown>) {
  return section({
    model: modelSchema(document),
    tokenizer: checkpointKey(document) ? noTokenizer : tokenizerSchema(document.tokenizer),
    data,
    objective: oneOf(objectives).default('causal-lm'),
    masking: document.objective === 'masked-lm' ? masking.default(masking.parse({})) : masking.optional(),
    denoising: document.objective === 'denoising' ? denoising.default(denoising.parse({})) : denoising.optional(),
    train,
    sample: sample.optional(),
  })
}

/** A recipe with what it leaves out: the sections, the kind of model, how long to train. */
export function withDefaults(document: Record<string, unknown>): Record<string, unknown> {
  return withSections(keepLastDuration(withoutNulls(document)))
}

/** Adds the sections that are not written: all their keys have defaults, or are asked for by name. */
function withSections(document: Record<string, unknown>): Record<string, unknown> {
  const tokenizer = checkpointKey(document) ? undefined : {}
  return { model: {}, tokenizer, data: {}, train: {}, ...withModelType(document) }
}

function tokenizerSchema(tokenizer: unknown) {
  if (!isMap(tokenizer)) return characters
  if (Object.hasOwn(tokenizer, 'from')) return tokenizerDirectory
  return (tokenizer.type ?? 'characters') === 'characters' ? characters : trainedTokenizer
}

/** Leaves out keys without a value: in a recipe they mean the default. */
function withoutNulls(document: Record<string, unknown>): Record<string, unknown> {
  const given = Object.entries(document).filter(([, value]) => value !== null)
  return Object.fromEntries(given.map(([key, value]) => [key, isMap(value) ? withoutNulls(value) : value]))
}

function keepLastDuration(document: Record<string, unknown>): Record<string, unknown> {
  const options = document.train ?? {}
  if (!isMap(options)) return document
  const names: readonly string[] = durations
  const winner = Object.keys(options).findLast((key) => names.includes(key))
  const kept = Object.entries(options).filter(([key]) => key === winner || !names.includes(key))
  return { ...document, train: { ...(winner ? {} : { steps: 2000 }), ...Object.fromEntries(kept) } }
}
