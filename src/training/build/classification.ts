import { holdOut } from '../../data/hold-out.js'
import { ConfigError, DataError } from '../../errors.js'
import type { Classifier } from '../../models/classifier.js'
import { type ClassificationProblem, GPTForSequenceClassification } from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { Classification } from '../objectives/classification.js'
import { ExampleObjective } from '../objectives/examples.js'
import type { Recipe } from '../recipe.js'
import { dropoutOf } from '../recipe-models.js'
import { type ClassifiedText, encodeClassified, readClassified } from './classification-texts.js'
import { collect } from './collect.js'
import {
  type AnyModel,
  expectGPT,
  gptConfig,
  isGPT,
  makeEncoder,
  openCheckpoint,
  startingPoint,
  withWeightsOf,
} from './model.js'
import { makeTokenizer } from './tokenizer.js'

/** Sets up the classification of texts; the labels are those of the training data, in order. */
export async function buildClassification(options: BuildOptions): Promise<Ingredients> {
  const { recipe, checkpoint } = options
  const { data, train: settings } = recipe
  const problem = data.problemType ?? 'single_label_classification'
  if (settings.classWeights !== undefined && problem !== 'single_label_classification') {
    throw new ConfigError(`train.classWeights: they weigh texts with one label each, not a ${problem}; remove them`)
  }
  const all = await collect(readClassified(data.train, problem, data), data.train)
  const { train, validation } =
    data.validation === undefined
      ? holdOut(all, settings.seed)
      : { train: all, validation: await collect(readClassified(data.validation, problem, data), data.validation) }
  const labels = labelsOf(all, problem)
  const { model, tokenizer } = await classifier(recipe, checkpoint, { labels, problem, train })
  const encode = (texts: readonly ClassifiedText[]) =>
    encodeClassified(texts, { model, tokenizer, maxLength: data.maxLength, onWarning: options.onWarning })
  const task = new Classification(model, weightsOf(settings.classWeights, labels, train))
  const examples = { train: await encode(train), validation: await encode(validation) }
  const objective = new ExampleObjective(task, { ...settings, ...examples })
  return { model, tokenizer, objective, size: { count: train.length, unit: 'examples' } }
}

interface ClassifierOptions {
  readonly labels: readonly string[]
  readonly problem: ClassificationProblem
  readonly train: readonly ClassifiedText[]
}

async function classifier(
  recipe: Recipe,
  checkpoint: string | undefined,
  { labels, problem, train }: ClassifierOptions,
): Promise<{ model: Classifier; tokenizer: Tokenizer }> {
  const from = startingPoint(recipe, checkpoint)
  if (from === undefined) {
    const tokenizer = await makeTokenizer(recipe.tokenizer, () => textsOf(train))
    return { model: makeClassifier(tokenizer.vocabularySize, recipe, { labels, problem }), tokenizer }
  }
  const { model, tokenizer } = await openCheckpoint(from)
  const earlier = 'labels' in model ? String(model.labels) : undefined
  if (checkpoint !== undefined && earlier !== String(labels)) {
    throw new ConfigError(
      `data.train: the labels ${labels.join(', ')} are not those that the run in ${checkpoint} began with`,
    )
  }
  return { model: makeClassifier(model, recipe, { labels, problem }), tokenizer }
}

function makeClassifier(
  source: AnyModel | number,
  recipe: Recipe,
  { labels, problem }: Omit<ClassifierOptions, 'train'>,
): Classifier {
  if (!isGPT(source, recipe.model)) {
    return makeEncoder(source, recipe, (family, config) => family.classification(config, labels, problem))
  }
  if (problem !== 'single_label_classification') {
    throw new ConfigError(`data.problemType: a GPT does single_label_classification, not ${problem}; use a BERT`)
  }
  if (typeof source === 'number') {
    const made = new GPTForSequenceClassification(gptConfig(recipe.model, source), labels)
    initialize(made.parameters(), recipe.train.seed)
    return made
  }
  const { config } = expectGPT(source)
  const dropout = dropoutOf(recipe.model) ?? config.dropout
  return withWeightsOf(new GPTForSequenceClassification({ ...config, dropout }, labels), source, recipe.train.seed)
}

async function* textsOf(examples: readonly ClassifiedText[]) {
  for (const { text, pair } of examples) yield { text: pair === undefined ? text : `${text}\n${pair}`, ends: true }
}

/** The name that the one output of a regression has in a checkpoint, as Hugging Face names it. */
const numberLabel = 'LABEL_0'

function labelsOf(texts: readonly ClassifiedText[], problem: ClassificationProblem): string[] {
  if (problem === 'regression') return [numberLabel]
  const labels = [...new Set(texts.flatMap((text) => text.labels))].sort((a, b) => (a < b ? -1 : 1))
  if (labels.length > 1 || (problem === 'multi_label_classification' && labels.length === 1)) return labels
  if (labels.length === 0) throw new DataError(`${texts[0].file}: no example has a label`)
  throw new DataError(
    `${texts[0].file}: all ${texts.length} examples have the label '${labels[0]}'; a classifier needs two or more`,
  )
}

/** The weight of each label's examples; `balanced` gives every label the same total (scikit-learn's definition). */
function weightsOf(
  classWeights: Recipe['train']['classWeights'],
  labels: readonly string[],
  texts: readonly ClassifiedText[],
): number[] | undefined {
  if (classWeights === undefined) return undefined
  if (classWeights === 'balanced') {
    const count = (label: string) => texts.filter((text) => text.labels[0] === label).length
    return labels.map((label) => texts.length / (labels.length * Math.max(1, count(label))))
  }
  const unknown = Object.keys(classWeights).find((label) => !labels.includes(label))
  if (unknown === undefined) return labels.map((label) => classWeights[label] ?? 1)
  throw new ConfigError(`train.classWeights: '${unknown}' is no label of the data; it has ${labels.join(', ')}`)
}
