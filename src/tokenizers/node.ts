import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TokenizerError } from '../errors.js'
import { CharacterTokenizer, isCharacterTokenizer } from './characters.js'
import { JavaScriptTokenizer } from './javascript.js'
import { NativeTokenizer } from './native.js'
import type { Tokenizer } from './tokenizer.js'
import { byteLevelBpe, messageOf, parseTokenizer, wordPieceFromVocabulary } from './tokenizer-json.js'
import { isFastInJavaScript } from './word-splitters.js'

/** The names under which GPT-2's two-file format is published. */
const VOCABULARY_AND_MERGES = [
  ['vocab.json', 'merges.txt'],
  ['encoder.json', 'vocab.bpe'],
] as const

/**
 * Opens the tokenizer of a checkpoint directory: `tokenizer.json`, or else `vocab.json` with `merges.txt` (GPT-2), or
 * `vocab.txt` (BERT). The end-of-sequence token is the one that `tokenizer_config.json` or `special_tokens_map.json`
 * names; `do_lower_case` there says whether a `vocab.txt` is for lower case, else its capital letters do.
 *
 * @throws TokenizerError where the files are missing or damaged
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  const { eosToken, lowercase } = await configuration(directory)
  const path = join(directory, 'tokenizer.json')
  if (existsSync(path)) return createTokenizer(await read(path), { where: path, eosToken })
  for (const names of VOCABULARY_AND_MERGES) {
    const [vocabulary, merges] = names.map((name) => join(directory, name))
    if (!existsSync(vocabulary) || !existsSync(merges)) continue
    const json = byteLevelBpe(await read(vocabulary), await read(merges), `${vocabulary}, ${merges}`)
    return createTokenizer(json, { where: vocabulary, eosToken })
  }
  const vocabulary = join(directory, 'vocab.txt')
  if (existsSync(vocabulary)) {
    const json = wordPieceFromVocabulary(await read(vocabulary), { where: vocabulary, lowercase })
    return createTokenizer(json, { where: vocabulary, eosToken })
  }
  throw new TokenizerError(
    `${directory}: expected tokenizer.json, vocab.json with merges.txt, or vocab.txt, found none of them; give the directory of a checkpoint`,
  )
}

/**
 * A tokenizer from the text of a `tokenizer.json`: in JavaScript where words can be remembered (GPT-2's, BERT's, and all
 * that Heddle trains), which is several times faster than native code, else in native code.
 *
 * @param options.where what to call it in errors
 * @param options.eosToken the token that ends a text; by default one of the usual names
 * @throws TokenizerError where the text is damaged
 */
export function createTokenizer(text: string, options: { where?: string; eosToken?: string } = {}): Tokenizer {
  const { where = 'tokenizer.json', eosToken } = options
  const json = parseTokenizer(text, where)
  if (isCharacterTokenizer(json)) return new CharacterTokenizer(text, eosToken)
  return isFastInJavaScript(json) ? new JavaScriptTokenizer(text, options) : new NativeTokenizer(text, options)
}

interface Configuration {
  readonly eosToken?: string | undefined
  readonly lowercase?: boolean | undefined
}

/** What the files beside a tokenizer say; the first that says something counts. */
async function configuration(directory: string): Promise<Configuration> {
  let found: Configuration = {}
  for (const name of ['tokenizer_config.json', 'special_tokens_map.json']) {
    const path = join(directory, name)
    if (!existsSync(path)) continue
    const { eosToken, lowercase } = parseConfiguration(await read(path), path)
    found = { eosToken: found.eosToken ?? eosToken, lowercase: found.lowercase ?? lowercase }
  }
  return found
}

/** The `eos_token` of a configuration is a text, or an object with the text as `content`. */
function parseConfiguration(text: string, path: string): Configuration {
  let config: { eos_token?: string | { content?: string } | null; do_lower_case?: boolean }
  try {
    config = JSON.parse(text)
  } catch (cause) {
    throw new TokenizerError(`${path}: expected JSON, got ${messageOf(cause)}; the file is damaged`, { cause })
  }
  const eosToken = config?.eos_token
  return {
    eosToken: (typeof eosToken === 'object' ? eosToken?.content : eosToken) ?? undefined,
    lowercase: config?.do_lower_case,
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new TokenizerError(`${path}: cannot be read: ${messageOf(cause)}`, { cause })
  }
}
