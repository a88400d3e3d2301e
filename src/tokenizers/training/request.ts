import { ConfigError } from '../../errors.js'

/** The kinds of tokenizer that can be trained, by the names of recipes and the command line. */
export const trainableTypes = ['bpe', 'unigram', 'wordpiece'] as const

/** What a trainer is asked for, apart from the words. */
export interface TrainingRequest {
  /** Number of tokens, special ones included. Fewer come out where the text has no more to learn. */
  readonly vocabularySize: number

  /** Tokens that are not text, which get the first ids; each kind of tokenizer has its usual ones. */
  readonly specialTokens?: readonly string[] | undefined

  /** How often a pair must occur to become a token (`bpe`, `wordpiece`); where absent every pair may. */
  readonly minimumFrequency?: number | undefined

  /** How many different characters may be tokens, the most frequent first (`unigram`, `wordpiece`); all where absent. */
  readonly alphabetLimit?: number | undefined

  /** Whether upper case is ignored, as in BERT's uncased models (`wordpiece`); true where absent. */
  readonly lowercase?: boolean | undefined

  /** Whether accents are ignored (`wordpiece`); where absent, as upper case is. */
  readonly stripAccents?: boolean | undefined

  /** Whether every Chinese character is a word of its own (`wordpiece`); true where absent. */
  readonly splitChinese?: boolean | undefined

  /** Called now and then with the number of tokens so far. */
  readonly onLearn?: ((tokens: number) => void) | undefined
}

/**
 * The special tokens that are asked for, or else the usual ones.
 *
 * @throws ConfigError for an empty one or one that is there twice
 */
export function specialTokensOf({ specialTokens }: TrainingRequest, usual: readonly string[]): readonly string[] {
  const tokens = specialTokens ?? usual
  if (new Set(tokens).size < tokens.length || tokens.includes('')) {
    throw new ConfigError(
      `specialTokens: expected different tokens with at least one character, got ${JSON.stringify(tokens)}`,
    )
  }
  return tokens
}

/**
 * Checks that a vocabulary has room for what must be in it.
 *
 * @param needs how many special tokens and characters, and what to call the characters
 * @throws ConfigError where it has not
 */
export function checkSize(
  { vocabularySize }: TrainingRequest,
  { special, alphabet, what }: { special: number; alphabet: number; what: string },
): void {
  const least = special + alphabet
  if (Number.isSafeInteger(vocabularySize) && vocabularySize >= least) return
  throw new ConfigError(
    `vocabularySize: expected a whole number of ${least} or more (${special} special tokens and ${alphabet} ${what}), got ${vocabularySize}`,
  )
}
