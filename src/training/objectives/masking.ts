import { ConfigError } from '../../errors.js'
import type { RandomStream } from '../../runtime/random.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import { addedTokens, parseTokenizer } from '../../tokenizers/tokenizer-json.js'

/** Which tokens are hidden. */
export interface MaskingRules {
  /** The share of the tokens that are to be guessed (Devlin et al. 2018: 0.15). */
  readonly share: number
  /** Whether all tokens of a word are hidden together (whole word masking of google-research/bert). */
  readonly wholeWords: boolean
}

/** Tokens of which some are to be hidden. */
export interface HideableSequence {
  readonly ids: readonly number[]
  /** 1 for each token that goes on with the word of the one before it, where that is known. */
  readonly goesOn?: readonly number[] | undefined
}

/** A sequence with hidden tokens. */
export interface MaskedSequence {
  /** What a model reads. */
  readonly ids: number[]
  /** The places of the tokens to guess, ascending. */
  readonly places: number[]
  /** What stands there in truth. */
  readonly targets: number[]
}

/** The shares of hidden tokens that become [MASK] and another token; the rest stays as it is. */
const [maskShare, randomShare] = [0.8, 0.1]

/**
 * Hides tokens for a model to guess: a share of them, of which 80 % become [MASK], 10 % a random token and 10 % stay
 * (Devlin et al. 2018, §3.1, task 1). Special tokens are never hidden and never drawn.
 *
 * Of n tokens round(share · n) are hidden, at least one. Whole words are hidden in a random order as far as they fit into
 * that number, at least one word; each of their tokens is drawn for itself (google-research/bert).
 */
export class Masker {
  readonly #rules: MaskingRules
  readonly #mask: number
  readonly #special: ReadonlySet<number>
  /** The ids that a random token is drawn from. */
  readonly #ordinary: Uint32Array

  /** @throws ConfigError where the tokenizer has no mask token */
  constructor(tokenizer: Tokenizer, rules: MaskingRules) {
    const { mask } = tokenizer.specialTokens
    if (mask === undefined) {
      throw new ConfigError('tokenizer: hiding tokens needs a mask token such as [MASK], this one has none')
    }
    const special = specialIds(tokenizer)
    const ids = Uint32Array.from({ length: tokenizer.vocabularySize }, (_, id) => id)
    this.#rules = rules
    this.#mask = mask.id
    this.#special = special
    this.#ordinary = ids.filter((id) => !special.has(id) && tokenizer.idToToken(id) !== undefined)
  }

  /** Hides tokens of a sequence, a pure function of it and the stream; none where all tokens are special. */
  hide({ ids, goesOn }: HideableSequence, random: RandomStream): MaskedSequence {
    const words = this.#words(ids, goesOn)
    const tokens = words.reduce((sum, word) => sum + word.length, 0)
    const count = Math.max(1, Math.round(this.#rules.share * tokens))
    const places = chosen(random.shuffle(words), count).sort((a, b) => a - b)
    const hidden = [...ids]
    for (const place of places) hidden[place] = this.#instead(ids[place], random)
    return { ids: hidden, places, targets: places.map((place) => ids[place]) }
  }

  /** The places of all tokens that may be hidden, those of one word together. */
  #words(ids: readonly number[], goesOn: readonly number[] | undefined): number[][] {
    const words: number[][] = []
    ids.forEach((id, place) => {
      if (this.#special.has(id)) return
      const isSameWord = this.#rules.wholeWords && goesOn?.[place] === 1 && words.at(-1)?.at(-1) === place - 1
      if (isSameWord) words[words.length - 1].push(place)
      else words.push([place])
    })
    return words
  }

  #instead(id: number, random: RandomStream): number {
    const kind = random.uniform()
    if (kind < maskShare) return this.#mask
    if (kind < maskShare + randomShare) return this.#ordinary[random.integer(this.#ordinary.length)]
    return id
  }
}

function specialIds(tokenizer: Tokenizer): Set<number> {
  const added = addedTokens(parseTokenizer(tokenizer.toJSON(), 'tokenizer.json')).filter(({ special }) => special)
  return new Set([...Object.values(tokenizer.specialTokens), ...added].map(({ id }) => id))
}

/** The first words that fit into a number of places together; the first of all where none fits. */
function chosen(words: readonly number[][], count: number): number[] {
  const places: number[] = []
  for (const word of words) {
    if (places.length + word.length <= count) places.push(...word)
    if (places.length === count) break
  }
  return places.length > 0 || words.length === 0 ? places : [...words[0]]
}
