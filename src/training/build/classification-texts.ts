import { type LabelledOptions, readLabelled, readMultiLabelled } from '../../data/labelled.js'
import { DataError } from '../../errors.js'
import type { Classifier } from '../../models/classifier.js'
import { type ClassificationProblem, GPTForSequenceClassification } from '../../models/index.js'
import { encodePairs } from '../../tokenizers/pairs.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import { type LabelledSequence, problemOf } from '../objectives/classification.js'

/** A text with its labels: one, several, or one that is a number. */
export interface ClassifiedText {
  readonly text: string
  readonly pair?: string
  readonly labels: readonly string[]
  readonly file: string
  readonly line: number
}

/** Reads the texts of a classification with all their labels. @throws DataError for what `readLabelled` refuses */
export async function* readClassified(
  files: string | readonly string[],
  problem: ClassificationProblem,
  options: LabelledOptions,
): AsyncGenerator<ClassifiedText> {
  if (problem === 'multi_label_classification') yield* readMultiLabelled(files, options)
  else for await (const { label, ...text } of readLabelled(files, options)) yield { ...text, labels: [label] }
}

/** How texts become token ids. */
export interface EncodeOptions {
  readonly model: Classifier
  readonly tokenizer: Tokenizer
  /** Most tokens of a text (default as many as the model sees). */
  readonly maxLength?: number | undefined
}

/** A text, or a pair of texts, as a classifier reads it. */
export interface EncodedText {
  /** At least one. */
  readonly ids: Int32Array
  readonly segments: Uint8Array
  /** How many tokens were cut off. */
  readonly removed: number
}

/**
 * Texts as token ids for a classifier. What is too long is cut: at its end, or for a GPT at its beginning, since its last
 * token decides. An empty text for which the tokenizer adds nothing either is one token, that of a text's end.
 */
export async function encodeTexts(
  texts: readonly { readonly text: string; readonly pair?: string | undefined }[],
  { model, tokenizer, maxLength = model.config.contextLength }: EncodeOptions,
): Promise<EncodedText[]> {
  const isGPT = model instanceof GPTForSequenceClassification
  const encodings = await encodePairs(
    tokenizer,
    texts.map(({ text, pair }) => (!isGPT ? [text, pair] : [pair === undefined ? text : `${text}\n${pair}`])),
    { maxLength: Math.min(maxLength, model.config.contextLength), side: isGPT ? 'left' : 'right' },
  )
  return encodings.map(({ ids, segments, removed }) => {
    const isEmpty = ids.length === 0
    return {
      ids: Int32Array.from(isEmpty ? [tokenizer.eosTokenId ?? 0] : ids),
      segments: Uint8Array.from(isEmpty ? [0] : segments),
      removed: removed.first + removed.second,
    }
  })
}

/** Texts that are encoded at a time: an encoding has more to it than ids, which is not kept. */
const textsAtOnce = 1024

/**
 * Labelled texts as examples, in compact arrays. One warning speaks for all texts that were cut, one for all empty ones.
 *
 * @throws DataError `file:line: problem` for a label that the model does not have
 */
export async function encodeClassified(
  texts: readonly ClassifiedText[],
  { onWarning, ...options }: EncodeOptions & { readonly onWarning?: ((message: string) => void) | undefined },
): Promise<LabelledSequence[]> {
  const examples: LabelledSequence[] = []
  const cut: ClassifiedText[] = []
  for (let i = 0; i < texts.length; i += textsAtOnce) {
    const some = texts.slice(i, i + textsAtOnce)
    for (const [row, { ids, segments, removed }] of (await encodeTexts(some, options)).entries()) {
      examples.push({ ids, segments, target: targetOf(some[row], options.model) })
      if (removed > 0) cut.push(some[row])
    }
  }
  warn(cut, 'the text is too long and was cut', onWarning)
  const empty = texts.filter(({ text, pair = '' }) => text === '' && pair === '')
  warn(empty, 'the text is empty', onWarning)
  return examples
}

function warn(texts: readonly ClassifiedText[], problem: string, onWarning?: (message: string) => void): void {
  if (texts.length === 0) return
  const [{ file, line }] = texts
  const others = texts.length - 1
  onWarning?.(`${file}:${line}: ${problem}${others === 0 ? '' : ` (and ${others} other${others === 1 ? '' : 's'})`}`)
}

/**
 * What a classifier has to find out about a text.
 *
 * @throws DataError `file:line: problem` for a label that the model does not have, or no number where it predicts one
 */
export function targetOf({ labels: given, file, line }: ClassifiedText, model: Classifier): LabelledSequence['target'] {
  const problem = problemOf(model)
  if (problem === 'regression') {
    const value = given[0].trim() === '' ? Number.NaN : Number(given[0])
    if (Number.isFinite(value)) return [value]
    throw new DataError(`${file}:${line}: expected a number to predict, got '${given[0]}'`)
  }
  const indices = given.map((label) => {
    const index = model.labels.indexOf(label)
    if (index >= 0) return index
    throw new DataError(`${file}:${line}: the label '${label}' is not one of the model's: ${model.labels.join(', ')}`)
  })
  if (problem === 'single_label_classification') return indices[0]
  return model.labels.map((_, i) => (indices.includes(i) ? 1 : 0))
}
