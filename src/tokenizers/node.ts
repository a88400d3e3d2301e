import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TokenizerError } from '../errors.js'
import { findGguf, isGgufFile } from '../hub/gguf/find.js'
import { loadGgufTokenizer } from '../hub/gguf/tokenizer.js'
import { CharacterTokenizer, isCharacterTokenizer } from './characters.js'
import { JavaScriptTokenizer } from './javascript.js'
import { NativeTokenizer } from './native.js'
import { type SpecialTokenNames, specialTokenRoles, tokenKey } from './special-tokens.js'
import type { Tokenizer, TokenizerOptions } from './tokenizer.js'
import { byteLevelBpe, messageOf, parseTokenizer, wordPieceFromVocabulary } from './tokenizer-json.js'
import { isFastInJavaScript } from './word-splitters.js'

/** The names under which GPT-2's two-file format is published. */
const VOCABULARY_AND_MERGES = [
  ['vocab.json', 'merges.txt'],
  ['encoder.json', 'vocab.bpe'],
] as const

/**
 * Opens the tokenizer of a checkpoint directory: `tokenizer.json`, or else `vocab.json` with `merges.txt` (GPT-2), or
 * `vocab.txt` (BERT). Special tokens are those that `tokenizer_config.json` or `special_tokens_map.json` names; with a
 * `vocab.txt`, `do_lower_case`, `strip_accents` and `tokenize_chinese_chars` count too. Without `do_lower_case` a
 * vocabulary without capital letters is one for lower case. A GGUF file, or the only one of a directory without these, has a
 * tokenizer of its own.
 *
 * @throws TokenizerError where the files are missing or damaged
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  if (isGgufFile(directory)) return ggufTokenizer(directory)
  const config = await configuration(directory)
  const specialTokens = specialTokenNames(config)
  const path = join(directory, 'tokenizer.json')
  if (existsSync(path)) return createTokenizer(await read(path), { where: path, specialTokens })
  for (const names of VOCABULARY_AND_MERGES) {
    const [vocabulary, merges] = names.map((name) => join(directory, name))
    if (!existsSync(vocabulary) || !existsSync(merges)) continue
    const json = byteLevelBpe(await read(vocabulary), await read(merges), `${vocabulary}, ${merges}`)
    return createTokenizer(json, { where: vocabulary, specialTokens })
  }
  const vocabulary = join(directory, 'vocab.txt')
  if (existsSync(vocabulary)) {
    const json = wordPieceFromVocabulary(await read(vocabulary), {
      where: vocabulary,
      lowercase: flag(config.do_lower_case),
      stripAccents: flag(config.strip_accents),
      splitChinese: flag(config.tokenize_chinese_chars),
    })
    return createTokenizer(json, { where: vocabulary, specialTokens })
  }
  const file = findGguf(directory)
  if (file !== undefined) return ggufTokenizer(file)
  throw new TokenizerError(
    `${directory}: expected tokenizer.json, vocab.json with merges.txt, or vocab.txt, found none of them; give the directory of a checkpoint`,
  )
}

function ggufTokenizer(path: string): Tokenizer {
  const { text, specialTokens } = loadGgufTokenizer(path)
  return createTokenizer(text, { where: path, specialTokens })
}

/** The folder of a checkpoint that has the tokenizer of the sources, where sources and targets have one each. */
export const sourceTokenizerFolder = 'source_tokenizer'

/**
 * Opens the tokenizer of the sources, where a checkpoint has one beside that of the targets; undefined where it has not.
 *
 * @throws TokenizerError where the files are damaged
 */
export async function loadSourceTokenizer(directory: string): Promise<Tokenizer | undefined> {
  const folder = join(directory, sourceTokenizerFolder)
  return existsSync(folder) ? loadTokenizer(folder) : undefined
}

/**
 * A tokenizer from the text of a `tokenizer.json`: in JavaScript where words can be remembered (GPT-2's, BERT's, and all
 * that Heddle trains), which is several times faster than native code, else in native code.
 *
 * @throws TokenizerError where the text is damaged
 */
export function createTokenizer(text: string, options: TokenizerOptions = {}): Tokenizer {
  const json = parseTokenizer(text, options.where ?? 'tokenizer.json')
  if (isCharacterTokenizer(json)) return new CharacterTokenizer(text, options)
  return isFastInJavaScript(json) ? new JavaScriptTokenizer(text, options) : new NativeTokenizer(text, options)
}

/** What the files beside a tokenizer say; the first that says something counts. */
async function configuration(directory: string): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for (const name of ['tokenizer_config.json', 'special_tokens_map.json']) {
    const path = join(directory, name)
    if (!existsSync(path)) continue
    for (const [key, value] of Object.entries(parseConfiguration(await read(path), path))) found[key] ??= value
  }
  return found
}

function parseConfiguration(text: string, path: string): object {
  try {
    return Object(JSON.parse(text))
  } catch (cause) {
    throw new TokenizerError(`${path}: expected JSON, got ${messageOf(cause)}; the file is damaged`, { cause })
  }
}

/** The special tokens of a configuration: each is a text, or an object with the text as `content`. */
function specialTokenNames(config: Record<string, unknown>): SpecialTokenNames {
  const named = specialTokenRoles.map((role) => {
    const token = config[tokenKey(role)]
    const content: unknown = typeof token === 'string' ? token : Object(token).content
    return [role, typeof content === 'string' ? content : undefined]
  })
  return Object.fromEntries(named)
}

function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new TokenizerError(`${path}: cannot be read: ${messageOf(cause)}`, { cause })
  }
}
