import { holdOut } from '../../data/hold-out.js'
import { type LabelledText, readLabelled } from '../../data/labelled.js'
import { ConfigError, DataError } from '../../errors.js'
import { GPTForSequenceClassification } from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { type LabelledSequence, SequenceClassification } from '../objectives/sequence-classification.js'
import type { Recipe } from '../recipe.js'
import { classifierFrom, gptConfig, openCheckpoint } from './model.js'
import { makeTokenizer } from './tokenizer.js'

/** Sets up the classification of texts; the labels are those of the training data, in order. */
export async function buildClassification({ recipe, checkpoint }: BuildOptions): Promise<Ingredients> {
  const { data, train: options } = recipe
  const all = await collect(data.train, recipe)
  const given = data.validation === undefined ? undefined : await collect(data.validation, recipe)
  const { train, validation } = given === undefined ? holdOut(all, options.seed) : { train: all, validation: given }
  const { model, tokenizer } = await classifier(recipe, checkpoint, train)
  const sequences = { labels: model.labels, tokenizer, contextLength: model.config.contextLength }
  const objective = new SequenceClassification({
    model,
    train: await encodeLabelled(train, sequences),
    validation: await encodeLabelled(validation, sequences),
    batchSize: options.batchSize,
    seed: options.seed,
  })
  return { model, tokenizer, objective, size: { count: train.length, unit: 'examples' } }
}

async function classifier(recipe: Recipe, checkpoint: string | undefined, train: readonly LabelledText[]) {
  const labels = labelsOf(train)
  const from = checkpoint ?? ('from' in recipe.model ? recipe.model.from : undefined)
  if (from === undefined) {
    const tokenizer = await makeTokenizer(recipe.tokenizer, () => textsOf(train))
    const model = new GPTForSequenceClassification(gptConfig(recipe.model, tokenizer.vocabularySize), labels)
    initialize(model.parameters(), recipe.train.seed)
    return { model, tokenizer }
  }
  const { model, tokenizer } = await openCheckpoint(from)
  const isSame = model instanceof GPTForSequenceClassification && String(model.labels) === String(labels)
  if (checkpoint !== undefined && !isSame) {
    throw new ConfigError(
      `data.train: the labels ${labels.join(', ')} are not those that the run in ${checkpoint} began with`,
    )
  }
  return { model: classifierFrom(model, labels, { options: recipe.model, seed: recipe.train.seed }), tokenizer }
}

async function* textsOf(examples: readonly LabelledText[]) {
  for (const { text, pair } of examples) yield { text: pair === undefined ? text : `${text}\n${pair}`, ends: true }
}

async function collect(files: string | string[], { data }: Recipe): Promise<LabelledText[]> {
  const texts: LabelledText[] = []
  for await (const example of readLabelled(files, data)) texts.push(example)
  if (texts.length === 0) throw new DataError(`${[files].flat().join(', ')}: no examples; expected texts with labels`)
  return texts
}

function labelsOf(texts: readonly LabelledText[]): string[] {
  const labels = [...new Set(texts.map(({ label }) => label))].sort((a, b) => (a < b ? -1 : 1))
  if (labels.length > 1) return labels
  throw new DataError(
    `${texts[0].file}: all ${texts.length} examples have the label '${labels[0]}'; a classifier needs two or more`,
  )
}

/**
 * Labelled texts as token ids; what is longer than the context loses its beginning, since the last token decides.
 *
 * @throws DataError `file:line: problem` for an empty text or a label that the model does not have
 */
export async function encodeLabelled(
  texts: readonly LabelledText[],
  { labels, tokenizer, contextLength }: { labels: readonly string[]; tokenizer: Tokenizer; contextLength: number },
): Promise<LabelledSequence[]> {
  const encodings = await tokenizer.encodeBatch(
    texts.map(({ text, pair }) => (pair === undefined ? text : `${text}\n${pair}`)),
  )
  return texts.map(({ label, file, line }, i) => {
    const index = labels.indexOf(label)
    if (index < 0) {
      throw new DataError(`${file}:${line}: the label '${label}' is not one of the model's: ${labels.join(', ')}`)
    }
    const ids = encodings[i].ids.slice(-contextLength)
    if (ids.length === 0) throw new DataError(`${file}:${line}: the text is empty`)
    return { ids, label: index }
  })
}
