import { holdOut, splitByKey } from '../../data/hold-out.js'
import { type ParallelText, readParallel } from '../../data/parallel.js'
import { sourceForm, type TextForm, targetForm } from '../../data/text-form.js'
import { DataError, UsageError } from '../../errors.js'
import type { DataSettings } from '../../hub/data-settings.js'
import { encodeEnded } from '../../tokenizers/ended.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import { type TokenPair, withoutStart } from '../objectives/sequence-to-sequence.js'
import type { Recipe } from '../recipe.js'
import { collect } from './collect.js'

/** Hears what is worth knowing about the data. */
type OnWarning = ((message: string) => void) | undefined

/** Reads the pairs to train and to validate on, as a recipe says; what is held out for a test is in neither. */
export async function readPairs({ data, train: { seed } }: Recipe, onWarning?: OnWarning) {
  const read = (files: string | readonly string[]) => collect(readParallel(files, { ...data, onWarning }), files)
  const all = await read(data.train)
  if (data.validation !== undefined) return { train: all, validation: await read(data.validation) }
  if (data.split === undefined) return holdOut(all, seed)
  const [train, validation] = splitPairs(all, data.split, data.splitSeed ?? seed)
  return { train, validation }
}

/** Parts pairs at random, those with the same source together: what a model is tested on it has not seen translated. */
export function splitPairs(pairs: readonly ParallelText[], shares: readonly number[], seed: number): ParallelText[][] {
  return splitByKey(pairs, { shares, seed, keyOf: ({ source }) => source })
}

/**
 * The part of a model's data that it was neither trained nor validated on.
 *
 * @param pairs all of the data that it was trained on
 * @param settings what its checkpoint says of the data
 * @throws UsageError where nothing was held out
 */
export function heldOutPairs(
  pairs: readonly ParallelText[],
  { split = [], splitSeed = 0 }: Pick<DataSettings, 'split' | 'splitSeed'>,
): ParallelText[] {
  if (split.length === 3) return splitPairs(pairs, split, splitSeed)[2]
  throw new UsageError(
    'the training held no pairs out; name three parts in its recipe, such as data.split=[0.9,0.05,0.05]',
  )
}

/** The texts of both sides that tokenizers are trained on. */
export async function* textsOfPairs(
  pairs: readonly ParallelText[],
  form: TextForm,
  sides: readonly ('source' | 'target')[],
): AsyncGenerator<{ text: string; ends: boolean }> {
  // Once only: learnt from before each source, the prefix would fill the vocabulary.
  if (form.prefix && sides.includes('source')) yield { text: form.prefix, ends: true }
  for (const pair of pairs) {
    for (const side of sides) yield { text: targetForm(pair[side], form), ends: true }
  }
}

/** How pairs become token ids. */
export interface EncodePairsOptions {
  readonly tokenizer: Tokenizer
  /** Of the sources, where they have one of their own. */
  readonly sourceTokenizer?: Tokenizer | undefined
  readonly form: TextForm
  /** Most tokens of either side, that which ends it included. */
  readonly maxLength: number
  /** The token that the decoder reads first; where a target's encoding begins with it, it is not to be written again. */
  readonly startTokenId: number
  readonly onWarning?: OnWarning
}

/** Pairs as token ids, beside the texts that they are from. */
export interface EncodedPairs {
  readonly pairs: TokenPair[]
  readonly texts: ParallelText[]
}

/** Pairs that are encoded at a time: an encoding has more to it than ids, which is not kept. */
const pairsAtOnce = 1024

/**
 * Pairs as token ids. Those with a side that is too long are left out, and one warning names the first lines; another tells
 * how many tokens the vocabulary lacks.
 *
 * @throws DataError where all pairs are too long, or the vocabulary lacks all of a side
 */
export async function encodeParallel(
  texts: readonly ParallelText[],
  options: EncodePairsOptions,
): Promise<EncodedPairs> {
  const { tokenizer, sourceTokenizer = tokenizer, form, maxLength, startTokenId, onWarning } = options
  const encoded: EncodedPairs = { pairs: [], texts: [] }
  const tooLong: TooLong[] = []
  const unknown = { source: new UnknownTokens(sourceTokenizer), target: new UnknownTokens(tokenizer) }
  for (let i = 0; i < texts.length; i += pairsAtOnce) {
    const some = texts.slice(i, i + pairsAtOnce)
    const sources = await encodeEnded(
      sourceTokenizer,
      some.map(({ source }) => sourceForm(source, form)),
    )
    const targets = await encodeEnded(
      tokenizer,
      some.map(({ target }) => targetForm(target, form)),
    )
    for (const [row, text] of some.entries()) {
      const source = Int32Array.from(sources[row])
      const target = Int32Array.from(withoutStart(targets[row], startTokenId))
      if (Math.max(source.length, target.length) > maxLength) {
        tooLong.push({ text, source: source.length, target: target.length })
        continue
      }
      unknown.source.count(source, text)
      unknown.target.count(target, text)
      encoded.pairs.push({ source, target })
      encoded.texts.push(text)
    }
  }
  warnOfTooLong(tooLong, { maxLength, left: encoded.pairs.length, onWarning })
  unknown.source.report('source', onWarning)
  unknown.target.report('target', onWarning)
  return encoded
}

interface TooLong {
  readonly text: ParallelText
  readonly source: number
  readonly target: number
}

/** How many lines a warning names. */
const linesNamed = 5

function warnOfTooLong(
  tooLong: readonly TooLong[],
  { maxLength, left, onWarning }: { maxLength: number; left: number; onWarning?: OnWarning },
): void {
  if (tooLong.length === 0) return
  const [{ text, source, target }, ...others] = tooLong
  const where = `${text.file}:${text.line}`
  const found = `${source} source and ${target} target tokens are more than ${maxLength}`
  if (left === 0) {
    throw new DataError(`${where}: ${found}, and so it is in all ${tooLong.length} pairs; raise model.contextLength`)
  }
  const named = others.slice(0, linesNamed - 1).map((other) => other.text.line)
  const dots = others.length > named.length ? ', …' : ''
  const more = others.length === 0 ? '' : ` (and ${others.length} more, in line ${named.join(', ')}${dots})`
  onWarning?.(`${where}: ${found}, the pair is left out${more}`)
}

/** Counts tokens that stand for what a vocabulary lacks. */
class UnknownTokens {
  readonly #tokenizer: Tokenizer
  #tokens = 0
  #unknown = 0
  #first: ParallelText | undefined

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer
  }

  /** @param ids with the token that ends them */
  count(ids: ArrayLike<number>, text: ParallelText): void {
    const unknown = this.#tokenizer.specialTokens.unknown?.id
    this.#tokens += ids.length - 1
    for (let i = 0; i < ids.length - 1; i++) {
      if (ids[i] !== unknown) continue
      this.#unknown++
      this.#first ??= text
    }
  }

  /** @throws DataError where all tokens are unknown */
  report(side: 'source' | 'target', onWarning: OnWarning): void {
    if (this.#first === undefined) return
    const where = `${this.#first.file}:${this.#first.line}`
    const text = this.#first[side].slice(0, 60)
    if (this.#unknown === this.#tokens) {
      throw new DataError(
        `${where}: the vocabulary lacks everything of the ${side}, as of ${JSON.stringify(text)}; is the tokenizer one for another language?`,
      )
    }
    const share = (100 * this.#unknown) / this.#tokens
    onWarning?.(
      `${where}: the vocabulary lacks ${share < 0.01 ? 'under 0.01' : share.toFixed(2)} % of the ${side} tokens, such as some of ${JSON.stringify(text)}`,
    )
  }
}
