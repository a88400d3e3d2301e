import { BYTE_CHARACTERS } from './byte-level.js'
import { METASPACE } from './pre-tokenizers.js'
import type { Encoding, Tokenizer } from './tokenizer.js'
import { addedTokens, parseTokenizer } from './tokenizer-json.js'

/**
 * Which tokens go on with the word before them, as far as their spelling says it: in WordPiece those with `##`, in
 * byte-level and SentencePiece vocabularies those without the mark of a blank. For ids whose text is gone; in an
 * {@link Encoding} `words` says it exactly.
 *
 * @returns [V] 1 for each id that goes on with a word, 0 for one that begins one, for added tokens and for characters
 */
export function wordContinuations(tokenizer: Tokenizer): Uint8Array {
  const json = parseTokenizer(tokenizer.toJSON(), 'tokenizer.json')
  const added = new Set(addedTokens(json).map(({ content }) => content))
  const inside = String(json.model.continuing_subword_prefix ?? '##')
  const mark = [BYTE_CHARACTERS[0x20], METASPACE].find((character) => tokenizer.tokenToId(character) !== undefined)
  const goesOn = (token: string) => {
    if (json.model.type === 'WordPiece') return token.startsWith(inside)
    return mark !== undefined && json.model.type !== 'WordLevel' && !token.startsWith(mark)
  }
  return Uint8Array.from({ length: tokenizer.vocabularySize }, (_, id) => {
    const token = tokenizer.idToToken(id)
    return Number(token !== undefined && !added.has(token) && goesOn(token))
  })
}
