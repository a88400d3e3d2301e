import { readTagged, type TaggedOptions, type TaggedSentence } from '../../data/conll.js'
import { taggedFormatOf } from '../../data/detect-format.js'
import { holdOut } from '../../data/hold-out.js'
import { extractEntities, followsScheme, schemeOfTags } from '../../data/tag-scheme.js'
import { ConfigError, DataError } from '../../errors.js'
import type { TokenClassifier } from '../../models/index.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { ExampleObjective } from '../objectives/examples.js'
import { type TaggedWindow, Tagging } from '../objectives/tagging.js'
import { wordWindows } from '../objectives/tagging-windows.js'
import type { Recipe } from '../recipe.js'
import { collect } from './collect.js'
import { makeEncoder, openCheckpoint, startingPoint } from './model.js'
import { makeTokenizer } from './tokenizer.js'

/** Sets up the tagging of words; the labels are the tags of the training data, `O` first and the others in order. */
export async function buildTagging({ recipe, checkpoint }: BuildOptions): Promise<Ingredients> {
  const { data, train: settings } = recipe
  if (settings.classWeights !== undefined) {
    throw new ConfigError('train.classWeights: tagging weighs all tags alike; remove it, or train a classification')
  }
  const all = await readSentences(data.train, data)
  const { train, validation } =
    data.validation === undefined
      ? holdOut(all, settings.seed)
      : { train: all, validation: await readSentences(data.validation, data) }
  const labels = labelsOf(all)
  const { model, tokenizer } = await tagger(recipe, checkpoint, { labels, train })
  const encode = (sentences: readonly TaggedSentence[]) => encodeTagged(sentences, { model, tokenizer, data })
  const task = new Tagging(
    model,
    validation.map(({ tags }) => tags),
  )
  const examples = { train: await encode(train), validation: await encode(validation) }
  const objective = new ExampleObjective(task, { ...settings, ...examples })
  return { model, tokenizer, objective, size: { count: train.length, unit: 'examples' } }
}

async function encodeTagged(
  sentences: readonly TaggedSentence[],
  { model, tokenizer, data }: { model: TokenClassifier; tokenizer: Tokenizer; data: Recipe['data'] },
): Promise<TaggedWindow[]> {
  const { contextLength } = model.config
  const { maxLength = contextLength, stride, format } = data
  const indices = await labelIndices(sentences, model.labels, format)
  const words = sentences.map((sentence) => sentence.words)
  const windows = await wordWindows(words, { tokenizer, maxLength: Math.min(maxLength, contextLength), stride })
  return windows.map((window) => ({ ...window, labels: window.words.map((word) => indices[window.sentence][word]) }))
}

/**
 * All tagged sentences of data files. Those in IOB1 come in BIO, which says the same, so that every model's labels tell
 * its scheme.
 *
 * @throws DataError for what `readTagged` refuses, and where there is no sentence
 */
export async function readSentences(
  files: string | readonly string[],
  options: TaggedOptions = {},
): Promise<TaggedSentence[]> {
  const sentences = await collect(readTagged(files, options), files)
  if (!isInIob1(sentences)) return sentences
  return sentences.map((sentence) => ({ ...sentence, tags: withBeginnings(sentence.tags) }))
}

function isInIob1(sentences: readonly TaggedSentence[]): boolean {
  const allFollow = (scheme: 'BIO' | 'IOB1') => sentences.every(({ tags }) => followsScheme(tags, scheme))
  const areLetters = sentences.every(({ tags }) => tags.every((tag) => /^[BI](-|$)|^O$/.test(tag)))
  return areLetters && !allFollow('BIO') && allFollow('IOB1')
}

/** The tags of a sentence in IOB1 as BIO has them: B- at every beginning. */
function withBeginnings(tags: readonly string[]): string[] {
  const found = [...tags]
  for (const { start } of extractEntities(tags, 'IOB1')) found[start] = found[start].replace(/^I/, 'B')
  return found
}

/**
 * The index of each word's tag among the labels, sentence by sentence.
 *
 * @param format of the data, where it is not judged by its content
 * @throws DataError `file:line: problem` for a tag that is none of the labels
 */
export async function labelIndices(
  sentences: readonly TaggedSentence[],
  labels: readonly string[],
  format?: TaggedOptions['format'],
): Promise<number[][]> {
  const places = new Map(labels.map((label, index) => [label, index]))
  const found: number[][] = []
  for (const { words, tags, file, line } of sentences) {
    const indices = tags.map((tag) => places.get(tag) ?? -1)
    const stranger = indices.indexOf(-1)
    if (stranger >= 0) {
      // In columns a word has a line of its own.
      const hasLines = ['conll', 'tsv', 'text'].includes(format ?? (await taggedFormatOf(file)))
      throw new DataError(
        `${file}:${line + (hasLines ? stranger : 0)}: the tag '${tags[stranger]}' of '${words[stranger]}' is not one of the labels: ${labels.join(', ')}`,
      )
    }
    found.push(indices)
  }
  return found
}

/** @throws DataError for tags of no scheme, and where all are `O` */
function labelsOf(sentences: readonly TaggedSentence[]): string[] {
  const labels = [...new Set(sentences.flatMap(({ tags }) => tags))].sort((a, b) => (a < b ? -1 : 1))
  schemeOfTags(labels, sentences[0].file)
  return [...labels.filter((label) => label === 'O'), ...labels.filter((label) => label !== 'O')]
}

async function tagger(
  recipe: Recipe,
  checkpoint: string | undefined,
  { labels, train }: { labels: readonly string[]; train: readonly TaggedSentence[] },
): Promise<{ model: TokenClassifier; tokenizer: Tokenizer }> {
  const make = (source: Parameters<typeof makeEncoder>[0]) =>
    makeEncoder(source, recipe, (family, config) => family.tagging(config, labels))
  const from = startingPoint(recipe, checkpoint)
  if (from === undefined) {
    const tokenizer = await makeTokenizer(recipe.tokenizer, () => textsOf(train))
    return { model: make(tokenizer.vocabularySize), tokenizer }
  }
  const { model, tokenizer } = await openCheckpoint(from)
  const earlier = 'labels' in model ? String(model.labels) : undefined
  if (checkpoint !== undefined && earlier !== String(labels)) {
    throw new ConfigError(
      `data.train: the labels ${labels.join(', ')} are not those that the run in ${checkpoint} began with`,
    )
  }
  return { model: make(model), tokenizer }
}

/** What a tokenizer learns from: the words apart, as they are encoded. */
async function* textsOf(sentences: readonly TaggedSentence[]) {
  for (const { words } of sentences) yield { text: words.join(' '), ends: true }
}
