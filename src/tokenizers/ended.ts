import { TokenizerError } from '../errors.js'
import type { SpecialToken } from './special-tokens.js'
import type { EncodeOptions, Tokenizer } from './tokenizer.js'

/**
 * The token that ends the texts of an encoder–decoder: the tokenizer's end of a text, or with BERT's [SEP].
 *
 * @throws TokenizerError where it has neither
 */
export function endToken({ specialTokens: { eos, sep } }: Tokenizer): SpecialToken {
  const end = eos ?? sep
  if (end !== undefined) return end
  throw new TokenizerError(
    'tokenizer: an encoder–decoder needs a token that ends a text, such as </s>, this tokenizer has none; train one with the model',
  )
}

/**
 * Texts as an encoder–decoder reads or writes them: with what the tokenizer puts around them and, where it does not put it
 * there itself, the {@link endToken} behind each.
 *
 * @returns at least one id for each text
 */
export async function encodeEnded(
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: Pick<EncodeOptions, 'onUnknown'> = {},
): Promise<number[][]> {
  const encodings = await tokenizer.encodeBatch(texts, { ...options, addSpecialTokens: false })
  return encodings.map(({ ids }) => endedIds(tokenizer, ids))
}

/**
 * The ids of a text with what the tokenizer puts around it and, where it does not put it there itself, the
 * {@link endToken} behind them.
 */
export function endedIds(tokenizer: Tokenizer, ids: readonly number[]): number[] {
  const { before, after } = tokenizer.template
  const end = endToken(tokenizer).id
  return [...before, ...ids, ...after, ...(after.at(-1) === end ? [] : [end])]
}
