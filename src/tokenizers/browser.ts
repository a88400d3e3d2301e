import { TokenizerError } from '../errors.js'
import { CharacterTokenizer, isCharacterTokenizer } from './characters.js'
import { JavaScriptTokenizer } from './javascript.js'
import type { Tokenizer } from './tokenizer.js'
import { messageOf, parseTokenizer } from './tokenizer-json.js'

/**
 * A tokenizer from the text of a `tokenizer.json`, in plain JavaScript: the same ids, tokens and offsets as in Node.
 *
 * @param options.where what to call it in errors
 * @param options.eosToken the token that ends a text; by default one of the usual names
 * @throws TokenizerError where the text is damaged, and for parts that do not exist in JavaScript
 */
export function createTokenizer(text: string, options: { where?: string; eosToken?: string } = {}): Tokenizer {
  const json = parseTokenizer(text, options.where ?? 'tokenizer.json')
  if (isCharacterTokenizer(json)) return new CharacterTokenizer(text, options.eosToken)
  return new JavaScriptTokenizer(text, options)
}

/**
 * Fetches the tokenizer of a checkpoint: `tokenizer.json` below an address.
 *
 * @param address of the checkpoint's folder
 * @throws TokenizerError where the file cannot be fetched or is damaged
 */
export async function loadTokenizer(address: string): Promise<Tokenizer> {
  const file = `${address.replace(/\/$/, '')}/tokenizer.json`
  let response: Response
  try {
    response = await fetch(file)
  } catch (cause) {
    throw new TokenizerError(`${file}: cannot be fetched: ${messageOf(cause)}`, { cause })
  }
  if (!response.ok) throw new TokenizerError(`${file}: cannot be fetched: ${response.status} ${response.statusText}`)
  return createTokenizer(await response.text(), { where: file })
}
