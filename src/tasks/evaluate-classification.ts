import type { LabelledOptions } from '../data/labelled.js'
import { DataError } from '../errors.js'
import { readDataSettings } from '../hub/data-settings.js'
import { resolveCheckpoint } from '../hub/run-directory.js'
import { type ClassifiedText, readClassified, targetOf } from '../training/build/classification-texts.js'
import { classificationFigures, type LabelledSequence } from '../training/objectives/classification.js'
import { TextClassifier, type TextClassifierOptions } from './text-classifier.js'

/** How texts are read and classified. */
export type EvaluateClassificationOptions = LabelledOptions & TextClassifierOptions

/** How well a classifier's results agree with the data's. */
export interface ClassificationReport {
  readonly examples: number
  /**
   * By the names of `src/metrics`: those of `classificationMetrics`, `multiLabelMetrics` or `regressionMetrics`, as the
   * model has one label for a text, several, or a number.
   */
  readonly metrics: Readonly<Record<string, number>>
  /** How many texts were too long for the model and were cut. */
  readonly cut: number
}

/** Texts that are in memory at a time. */
const textsAtOnce = 1024

/**
 * Evaluates a classifier on labelled texts. They are read as the training's were, as far as the options do not say
 * otherwise; of files of any size only the targets and logits are kept.
 *
 * @param path a checkpoint or a training run
 * @param file texts with labels, see `readLabelled` and `readMultiLabelled`
 * @throws CheckpointError, TokenizerError, DataError for what is missing, damaged or does not fit; DataError `file:line` for
 * a label that the model does not have
 */
export async function evaluateClassification(
  path: string,
  file: string,
  options: EvaluateClassificationOptions = {},
): Promise<ClassificationReport> {
  const directory = resolveCheckpoint(path)
  const classifier = await TextClassifier.load(directory, options)
  const { columns, header, quotes } = readDataSettings(directory)
  const texts = readClassified(file, classifier.problem, { columns, header, quotes, ...options })
  const targets: LabelledSequence['target'][] = []
  const logits: Float32Array[] = []
  let cut = 0
  try {
    for await (const some of groups(texts)) {
      targets.push(...some.map((text) => targetOf(text, classifier.model)))
      logits.push(await classifier.logits(some, { onCut: () => cut++ }))
    }
  } finally {
    await classifier.dispose()
  }
  if (targets.length === 0) throw new DataError(`${file}: no examples; expected at least one`)
  return { examples: targets.length, metrics: classificationFigures(classifier.problem, targets, concat(logits)), cut }
}

async function* groups(texts: AsyncIterable<ClassifiedText>): AsyncGenerator<ClassifiedText[]> {
  let group: ClassifiedText[] = []
  for await (const text of texts) {
    group.push(text)
    if (group.length < textsAtOnce) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}

function concat(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((total, { length }) => total + length, 0))
  let at = 0
  for (const array of arrays) {
    all.set(array, at)
    at += array.length
  }
  return all
}
