import { z } from 'zod'
import { dataFormats } from '../data/formats.js'
import { scheduleNames } from './schedules.js'

// Every message of a schema below is the end of a sentence: "PATH: expected <message>, got VALUE". The message of a
// section lists its keys, which an unknown key is compared with.

const integer = (minimum: number) => {
  const expected = `a whole number of ${minimum} or more`
  return z.int(expected).min(minimum, expected)
}
const positive = () => z.number('a number above 0').positive('a number above 0')
const notNegative = () => z.number('a number of 0 or more').nonnegative('a number of 0 or more')
const fraction = () => {
  const expected = 'a number of 0 or more and below 1'
  return z.number(expected).min(0, expected).lt(1, expected)
}
const share = () => {
  const expected = 'a number above 0 and below 1'
  return z.number(expected).gt(0, expected).lt(1, expected)
}
const flag = () => z.boolean('true or false')
const text = (what: string) => z.string(what).min(1, what)
const oneOf = <const Names extends readonly [string, ...string[]]>(names: Names) => z.enum(names, list(names))
const section = <Shape extends z.ZodRawShape>(shape: Shape) => z.strictObject(shape, list(Object.keys(shape)))

const activation = () => oneOf(['gelu', 'gelu_new', 'relu', 'silu'])

/** The encoders, whose sizes are described alike. */
const encoderTypes = ['bert', 'roberta', 'distilbert'] as const

// The message names all types, because this is also the schema that judges a type that does not exist.
const gptType = z.literal('gpt', list(['gpt', ...encoderTypes])).default('gpt')

function headsDivideWidth(payload: z.core.ParsePayload<{ heads: number; width: number }>): void {
  const { heads, width } = payload.value
  if (width % heads === 0) return
  const message = `a divisor of model.width (${width})`
  payload.issues.push({ code: 'custom', path: ['heads'], message, input: heads })
}

const gptModel = section({
  type: gptType,
  layers: integer(1).default(4),
  heads: integer(1).default(4),
  width: integer(1).default(128),
  contextLength: integer(1).default(64),
  dropout: fraction().default(0),
  bias: flag().default(false),
  activation: activation().default('gelu'),
}).check(headsDivideWidth)

const gptPreset = section({
  type: gptType,
  preset: text('the name of a preset'),
  layers: integer(1).optional(),
  heads: integer(1).optional(),
  width: integer(1).optional(),
  contextLength: integer(1).optional(),
  dropout: fraction().optional(),
  bias: flag().optional(),
  activation: activation().optional(),
})

const pooling = () => oneOf(['cls', 'mean'])

const encoderModel = section({
  type: oneOf(encoderTypes),
  layers: integer(1).default(4),
  heads: integer(1).default(4),
  width: integer(1).default(128),
  innerWidth: integer(1).optional(),
  contextLength: integer(1).default(128),
  dropout: fraction().default(0.1),
  activation: activation().default('gelu'),
  pooling: pooling().optional(),
  relativePositions: flag().default(false),
  deviation: positive().optional(),
}).check(headsDivideWidth)

const encoderPreset = section({
  type: oneOf(encoderTypes).default('bert'),
  preset: text('the name of a preset'),
  layers: integer(1).optional(),
  heads: integer(1).optional(),
  width: integer(1).optional(),
  innerWidth: integer(1).optional(),
  contextLength: integer(1).optional(),
  dropout: fraction().optional(),
  activation: activation().optional(),
  pooling: pooling().optional(),
  relativePositions: flag().optional(),
  deviation: positive().optional(),
})

const checkpointModel = section({
  from: text('a checkpoint directory'),
  dropout: fraction().optional(),
  pooling: pooling().optional(),
})

/** The schemas of each `model.type`: with its sizes written out, and with a preset that brings them. */
const gptSchemas = { sizes: gptModel, preset: gptPreset }
const encoderSchemas = { sizes: encoderModel, preset: encoderPreset }
const modelTypes = { gpt: gptSchemas, bert: encoderSchemas, roberta: encoderSchemas, distilbert: encoderSchemas }

const characters = section({ type: z.literal('characters').default('characters') })

const tokenizerTypes = ['bpe', 'wordpiece', 'unigram'] as const

const trainedTokenizer = section({
  // The message names all types, because this is also the schema that judges a type that does not exist.
  type: z.enum(tokenizerTypes, list(['characters', ...tokenizerTypes])),
  lowercase: flag().optional(),
  vocabularySize: integer(1).default(8000),
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
  problemType: oneOf(['single_label_classification', 'multi_label_classification', 'regression']).optional(),
})

const beta = fraction()

const train = section({
  steps: integer(1).optional(),
  epochs: positive().optional(),
  minutes: positive().optional(),
  batchSize: integer(1).default(12),
  accumulate: integer(1).default(1),
  optimizer: oneOf(['adamw']).default('adamw'),
  learningRate: positive().default(1e-3),
  betas: z.tuple([beta, beta], 'two numbers [beta1, beta2]').default([0.9, 0.99]),
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
] as const

/** What trains an encoder where the recipe does not name a kind of model. */
const encoderObjectives: readonly unknown[] = ['masked-lm', 'tagging', 'answering', 'multiple-choice', 'relation']

const masking = section({
  share: fraction().default(0.15),
  wholeWords: flag().default(false),
  nextSentence: flag().default(false),
})

const sample = section({
  prompts: z.array(text('texts to continue'), 'a list of texts').min(1, 'a list of texts'),
  maxNewTokens: integer(1).default(100),
  temperature: notNegative().default(0.8),
})

/** The keys of `train` that say how long to train; the one that was set last counts. */
const durations = ['steps', 'epochs', 'minutes'] as const

/** The keys that describe a new model. */
export const modelKeys: ReadonlySet<string> = new Set(Object.keys({ ...gptPreset.shape, ...encoderPreset.shape }))

/** The key names of every section, to point from a key in the wrong place to the right one. */
export const keysOfSections = {
  model: encoderPreset,
  tokenizer: trainedTokenizer,
  data,
  masking,
  train: train.in,
  sample,
}

/**
 * A GPT described by its sizes: layers, attention heads, width C, contextLength T in tokens, dropout probability, bias
 * in the linear and norm layers, and the feed-forward activation (names of Hugging Face: `gelu` exact, `gelu_new` tanh).
 */
export type GptOptions = z.infer<typeof gptModel>

/** A GPT whose sizes come from a named preset, with the exceptions written beside it. */
export type GptPresetOptions = z.infer<typeof gptPreset>

/**
 * An encoder described by its sizes: `innerWidth` of the feed-forward layers (default 4 · width), what stands for a whole
 * sequence (`pooling`: its first token or the mean of all), whether attention knows distances beside the positions, and the
 * `deviation` of the first weights (default BERT's 0.02; narrow models learn sooner with about 1/√width).
 */
export type EncoderOptions = z.infer<typeof encoderModel>

/** An encoder whose sizes come from a named preset, with the exceptions written beside it. */
export type EncoderPresetOptions = z.infer<typeof encoderPreset>

/** How tokens are hidden: which share, whether whole words are, and whether pairs of sentences are learnt from too. */
export type MaskingOptions = z.infer<typeof masking>

/** A checkpoint directory to go on from: it brings the architecture and the tokenizer. */
export type CheckpointOptions = z.infer<typeof checkpointModel>

/** What to train. */
export type ModelOptions = GptOptions | GptPresetOptions | EncoderOptions | EncoderPresetOptions | CheckpointOptions

/** How text becomes token ids: single characters, a tokenizer to be trained, or one from a directory. */
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
 * `problemType` says whether texts have one label, several, or a number; `validationTokens` is the most that is validated on (default 1,048,576).
 */
export type DataOptions = z.infer<typeof data>

/**
 * How to train. Exactly one of `steps` (of the optimizer), `epochs` and `minutes` is there. One step takes
 * batchSize · accumulate windows or examples. `layerDecay` multiplies the learning rate once for every layer that lies
 * above a parameter, `freezeLayers` keeps the embeddings and that many layers as they are, `classWeights` weighs the
 * examples of labels (`balanced`: inversely to how often they occur). `warmup` and `minimumLearningRate` are those of the schedule; `clip` is the largest
 * norm of the gradient, 0 for none; `evaluateEvery`, `checkpointEvery` and `logEvery` count steps. The newest `keep`
 * checkpoints are kept, and the best (by `metric`) and the last one always; `patience` is how many evaluations in a row may
 * pass without a better one before the training ends.
 */
export type TrainOptions = z.infer<typeof train>

/** What the model writes at each evaluation: continuations of prompts, sampled at a temperature. */
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
   * conversations.
   */
  objective: (typeof objectives)[number]
  /** How tokens are hidden, for `masked-lm`. */
  masking?: MaskingOptions | undefined
  train: TrainOptions
  /** Texts to write at each evaluation, to see what the model has learnt. */
  sample?: SampleOptions | undefined
}

/** The schema of a recipe whose sections are all there, see {@link withDefaults}. */
export function recipeSchema(document: Record<string, unknown>) {
  return section({
    model: modelSchema(document),
    tokenizer: comesFromCheckpoint(document) ? noTokenizer : tokenizerSchema(document.tokenizer),
    data,
    objective: oneOf(objectives).default('causal-lm'),
    masking: document.objective === 'masked-lm' ? masking.default(masking.parse({})) : masking.optional(),
    train,
    sample: sample.optional(),
  })
}

/** A recipe with what it leaves out: the sections, the kind of model, how long to train. */
export function withDefaults(document: Record<string, unknown>): Record<string, unknown> {
  return withSections(keepLastDuration(withoutNulls(document)))
}

/** Whether a recipe goes on from a checkpoint. */
export function comesFromCheckpoint({ model }: Record<string, unknown>): boolean {
  return isMap(model) && Object.hasOwn(model, 'from')
}

/** Adds the sections that are not written: all their keys have defaults, or are asked for by name. */
function withSections(document: Record<string, unknown>): Record<string, unknown> {
  const tokenizer = comesFromCheckpoint(document) ? undefined : {}
  return { model: {}, tokenizer, data: {}, train: {}, ...withModelType(document) }
}

/** Names the kind of model where the recipe leaves it to the objective. */
function withModelType(document: Record<string, unknown>): Record<string, unknown> {
  const { model = {}, objective } = document
  if (!isMap(model) || comesFromCheckpoint(document) || model.type !== undefined) return document
  const preset = String(model.preset)
  const type =
    encoderTypes.find((name) => preset.startsWith(name)) ??
    (encoderObjectives.includes(objective) || preset.startsWith('minilm') ? 'bert' : 'gpt')
  return { ...document, model: { type, ...model } }
}

/** The schema that fits what a model section has: not a union, whose errors would speak of every member. */
function modelSchema({ model }: Record<string, unknown>) {
  if (!isMap(model)) return gptModel
  if (Object.hasOwn(model, 'from')) return checkpointModel
  const schemas = Object.entries(modelTypes).find(([type]) => type === model.type)?.[1] ?? gptSchemas
  return Object.hasOwn(model, 'preset') ? schemas.preset : schemas.sizes
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

function list(names: readonly string[]): string {
  return names.join(', ')
}

/** Whether a value is a section: keys with values. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
