import { holdOut } from '../../data/hold-out.js'
import { type Relation, readRelations } from '../../data/relations.js'
import { ConfigError, DataError } from '../../errors.js'
import type { BertForRelationClassification } from '../../models/index.js'
import { encodeDistinct } from '../../tokenizers/pairs.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { ExampleObjective } from '../objectives/examples.js'
import { type MarkedSequence, RelationClassification } from '../objectives/relation.js'
import type { Recipe } from '../recipe.js'
import { collect } from './collect.js'
import { type AnyModel, makeEncoder, openCheckpoint, startingPoint } from './model.js'
import { findMarkers, markSpans, withMarkers } from './relation-markers.js'
import { makeTokenizer } from './tokenizer.js'

/** Sets up the classification of relations; the labels are those of the training data, in order. */
export async function buildRelation({ recipe, checkpoint }: BuildOptions): Promise<Ingredients> {
  const { data, train: settings } = recipe
  const all = await collect(readRelations(data.train, data), data.train)
  const { train, validation } =
    data.validation === undefined
      ? holdOut(all, settings.seed)
      : { train: all, validation: await collect(readRelations(data.validation, data), data.validation) }
  const labels = labelsOf(all)
  const from = startingPoint(recipe, checkpoint)
  const opened = from === undefined ? undefined : await openCheckpoint(from)
  if (checkpoint !== undefined && opened !== undefined) checkLabels(opened.model, labels, checkpoint)
  const tokenizer = withMarkers(opened?.tokenizer ?? (await makeTokenizer(recipe.tokenizer, () => textsOf(train))))
  const model = makeModel(opened?.model, tokenizer, { recipe, labels })
  const encode = (relations: readonly Relation[]) => encodeRelations(relations, { model, tokenizer, ...data })
  const examples = { train: await encode(train), validation: await encode(validation) }
  const objective = new ExampleObjective(new RelationClassification(model), { ...settings, ...examples })
  return { model, tokenizer, objective, size: { count: train.length, unit: 'examples' } }
}

/** A model that has embeddings for all tokens, the markers among them. */
function makeModel(
  source: AnyModel | undefined,
  { vocabularySize }: Tokenizer,
  { recipe, labels }: { recipe: Recipe; labels: readonly string[] },
): BertForRelationClassification {
  if (source === undefined) {
    return makeEncoder(vocabularySize, recipe, (family, config) => family.relation?.(config, labels))
  }
  const size = Math.max(vocabularySize, source.config.vocabularySize)
  const model = makeEncoder(source, recipe, ({ relation }, config) =>
    relation?.({ ...config, vocabularySize: size }, labels),
  )
  // The rows of tokens that are not new keep what they were.
  const words = Object.entries(source.parameters()).find(([path]) => path.endsWith('word_embeddings.weight'))
  if (words?.[1].data !== undefined) model.bert.embeddings.word_embeddings.weight.data?.set(words[1].data)
  return model
}

/** @throws ConfigError where a run that is resumed has other labels than its data */
function checkLabels(model: AnyModel, labels: readonly string[], checkpoint: string): void {
  if ('labels' in model && String(model.labels) === String(labels)) return
  throw new ConfigError(
    `data.train: the labels ${labels.join(', ')} are not those that the run in ${checkpoint} began with`,
  )
}

function labelsOf(relations: readonly Relation[]): string[] {
  const labels = [...new Set(relations.map(({ label }) => label))].sort((a, b) => (a < b ? -1 : 1))
  if (labels.length > 1) return labels
  throw new DataError(
    `${relations[0].file}: all ${relations.length} relations are '${labels[0]}'; a classifier needs two labels or more`,
  )
}

/** How relations become examples. */
export interface EncodeRelationsOptions {
  readonly model: BertForRelationClassification
  readonly tokenizer: Tokenizer
  /** Most tokens of an example (default as many as the model sees). */
  readonly maxLength?: number | undefined
}

/**
 * Texts with markers around head and tail, as token ids.
 *
 * @throws DataError `file:line: problem` for a label that the model does not have, and where head and tail lie too far
 * apart; ConfigError where the tokenizer has no markers
 */
export async function encodeRelations(
  relations: readonly Relation[],
  { model, tokenizer, maxLength = model.config.contextLength }: EncodeRelationsOptions,
): Promise<MarkedSequence[]> {
  const markers = findMarkers(tokenizer)
  if (markers === undefined) throw new ConfigError('the tokenizer has neither [E1] … [/E2] nor [unused1] … [unused4]')
  const limit = Math.min(maxLength, model.config.contextLength)
  const texts = relations.map(({ text }) => text)
  const encodings = await encodeDistinct(tokenizer, texts, { addSpecialTokens: false })
  return relations.map((relation, i) => {
    const { label, file, line } = relation
    const target = model.labels.indexOf(label)
    if (target < 0) {
      throw new DataError(`${file}:${line}: the label '${label}' is not one of the model's: ${model.labels.join(', ')}`)
    }
    const marked = markSpans(encodings[i], relation, { tokenizer, markers, maxLength: limit })
    if (marked !== undefined) return { ...marked, target }
    throw new DataError(
      `${file}:${line}: head, tail, the text between them and their markers are more than ${limit} tokens; leave the relation out or raise data.maxLength`,
    )
  })
}

async function* textsOf(relations: readonly Relation[]) {
  for (const { text } of relations) yield { text, ends: true }
}
