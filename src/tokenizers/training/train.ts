import { ConfigError, nearestName } from '../../errors.js'
import { safeParts } from '../safe-cut.js'
import { countByteLevelWords, trainBytePair } from './byte-pair.js'
import { type TrainingRequest, trainableTypes } from './request.js'
import { countMetaspaceWords, trainUnigram } from './unigram.js'
import { WordCounts } from './word-counts.js'
import { countBertWords, trainWordPiece, wordPieceNormalizer } from './word-piece.js'

/** How far a training is. */
export interface TokenizerProgress {
  /** First the text is read and its words are counted, then tokens are learnt from the counts. */
  readonly stage: 'read' | 'learn'

  /** UTF-16 units that were read, or tokens there are: they grow up to the vocabulary's size, for `unigram` they fall. */
  readonly done: number

  /** Distinct words so far. */
  readonly words: number
}

/** What to train and how. */
export interface TokenizerTrainingOptions extends Omit<TrainingRequest, 'onLearn'> {
  /**
   * `bpe`: byte-level byte-pair encoding as GPT-2's, which can encode any text and gives it back exactly; `unigram`:
   * SentencePiece's, with `▁` for blanks; `wordpiece`: as BERT's.
   */
  readonly type: (typeof trainableTypes)[number]

  /**
   * Whether every line is a text of its own, as Hugging Face's training from files has it; true where absent. Otherwise
   * white space may become tokens across line ends, and the first word of a line is not taken for the first of a text:
   * right where texts are encoded as a whole.
   */
  readonly lines?: boolean | undefined

  /** How many distinct words are counted at most before rare ones are forgotten; 4 million where absent. */
  readonly maximumWords?: number | undefined

  readonly onProgress?: ((progress: TokenizerProgress) => void) | undefined
}

/** Long texts are counted in parts of this many UTF-16 units. */
const PART = 1 << 20

/**
 * Trains a tokenizer. Memory grows with the distinct words, not with the texts; the result depends on the texts and
 * options alone. With `bpe` it has the vocabulary and merges that Hugging Face's BpeTrainer gives for the same text.
 *
 * @param texts what to learn from; long texts may come as one string each, or in parts that begin with a blank
 * @returns a `tokenizer.json`
 * @throws ConfigError for options that are not valid, as a vocabulary that is too small for the characters
 */
export async function trainTokenizer(
  texts: Iterable<string> | AsyncIterable<string>,
  options: TokenizerTrainingOptions,
): Promise<string> {
  const { type, lines = true, onProgress } = options
  const count = counterOf(options)
  const counts = new WordCounts({ words: options.maximumWords })
  let done = 0
  for await (const text of texts) {
    for (const part of safeParts(text, PART, lines ? 'blankOrLine' : 'blankOrLineFeed')) {
      count(part, counts, lines)
      done += part.length
      onProgress?.({ stage: 'read', done, words: counts.size })
    }
  }
  const onLearn = (tokens: number) => onProgress?.({ stage: 'learn', done: tokens, words: counts.size })
  const train = { bpe: trainBytePair, unigram: trainUnigram, wordpiece: trainWordPiece }[type]
  return train(counts, { ...options, onLearn })
}

function counterOf(options: TokenizerTrainingOptions) {
  const { type } = options
  switch (type) {
    case 'bpe':
      return countByteLevelWords
    case 'unigram':
      return countMetaspaceWords
    case 'wordpiece': {
      const normalizer = wordPieceNormalizer(options)
      return (text: string, counts: WordCounts) => countBertWords(text, counts, normalizer)
    }
    default: {
      const nearest = nearestName(type, trainableTypes)
      const hint = nearest === undefined ? '' : `, did you mean ${nearest}?`
      throw new ConfigError(`type: '${type}' cannot be trained${hint} (valid: ${trainableTypes.join(', ')})`)
    }
  }
}
