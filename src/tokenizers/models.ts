import { BPE, type Model, Unigram, WordPiece } from '@huggingface/tokenizers'
import { TokenizerError } from '../errors.js'
import { characterLength } from './aligned-text.js'
import { BytePairModel, type WordTokens } from './byte-pair-model.js'
import { messageOf, modelVocabulary, type TokenizerJson } from './tokenizer-json.js'

/** Turns words into tokens. */
export interface WordModel {
  encode(word: string): WordTokens
}

/**
 * The model of a `tokenizer.json`: our own for byte-pair encoding without unknown tokens (GPT-2 and all byte-level
 * ones), those of @huggingface/tokenizers for the others.
 *
 * @throws TokenizerError for a type that is not known here, and for a damaged model
 */
export function createModel(json: TokenizerJson): WordModel {
  const { model } = json
  const ids = new Map(modelVocabulary(json))
  const type = model.type ?? (model.merges ? 'BPE' : 'WordPiece')
  const affixes = model.continuing_subword_prefix || model.end_of_word_suffix
  if (type === 'BPE' && !model.unk_token && !model.byte_fallback && !affixes) {
    return new BytePairModel(ids, mergesOf(model.merges, ids), { wholeWords: model.ignore_merges === true })
  }
  const unknownId = model.unk_id ?? (model.unk_token ? ids.get(model.unk_token) : undefined)
  return new LibraryModel(libraryModel(type, model), { ids, unknownId, prefix: wordPiecePrefix(type, model) })
}

function wordPiecePrefix(type: string, model: TokenizerJson['model']): string {
  return type === 'WordPiece' ? String(model.continuing_subword_prefix ?? '##') : ''
}

function libraryModel(type: string, model: TokenizerJson['model']): Model {
  // The library believes its input: what it needs was checked as the vocabulary was read.
  const config = JSON.parse(JSON.stringify(model))
  try {
    if (type === 'BPE') return new BPE(config)
    if (type === 'WordPiece') return new WordPiece(config)
    if (type === 'Unigram') return new Unigram(config, '</s>')
  } catch (cause) {
    throw new TokenizerError(`tokenizer.json: not a usable ${type} model: ${messageOf(cause)}`, { cause })
  }
  throw new TokenizerError(`tokenizer.json: expected a model BPE, Unigram or WordPiece in JavaScript, got ${type}`)
}

function mergesOf(merges: unknown, ids: ReadonlyMap<string, number>): [string, string][] {
  if (!Array.isArray(merges)) throw new TokenizerError('tokenizer.json: expected model.merges to be a list')
  return merges.map((merge: unknown) => {
    const pair = typeof merge === 'string' ? merge.split(' ') : merge
    const [left, right] = Array.isArray(pair) && pair.length === 2 ? [String(pair[0]), String(pair[1])] : ['', '']
    if (ids.has(left) && ids.has(right) && ids.has(left + right)) return [left, right]
    throw new TokenizerError(
      `tokenizer.json: expected merges of two tokens of the vocabulary, got ${JSON.stringify(merge)}`,
    )
  })
}

interface LibraryModelOptions {
  readonly ids: ReadonlyMap<string, number>
  readonly unknownId: number | undefined
  /** What tokens inside of a word begin with. */
  readonly prefix: string
}

/** A model of @huggingface/tokenizers, which knows tokens but not where they end, with a memory of frequent words. */
class LibraryModel implements WordModel {
  readonly #model: Model
  readonly #options: LibraryModelOptions
  readonly #known = new Map<string, WordTokens>()

  constructor(model: Model, options: LibraryModelOptions) {
    this.#model = model
    this.#options = options
  }

  encode(word: string): WordTokens {
    const known = this.#known.get(word)
    if (known) return known
    const found = this.#locate(word, this.#model([word]))
    if (this.#known.size > 50_000) this.#known.clear()
    this.#known.set(word, found)
    return found
  }

  /** Finds the ends of tokens: each is spelled in the word, is a byte of a character, or stands for unknown text. */
  #locate(word: string, tokens: readonly string[]): WordTokens {
    const { ids, unknownId } = this.#options
    const result: { ids: number[]; ends: number[] } = { ids: [], ends: [] }
    let position = 0
    let bytesLeft = 0
    tokens.forEach((token, i) => {
      const id = ids.get(token) ?? unknownId
      if (id === undefined) return
      const text = this.#spelling(token, position)
      let end = position + text.length
      if (!word.startsWith(text, position)) {
        end = position + characterLength(word, position)
        if (/^<0x[\dA-F]{2}>$/.test(token)) {
          bytesLeft = (bytesLeft || utf8Length(word.slice(position, end))) - 1
        } else {
          const next = tokens[i + 1]
          if (next === undefined) end = word.length
          else if (ids.get(next) !== unknownId) end = Math.max(end, word.indexOf(this.#spelling(next, end), end))
        }
      }
      if (bytesLeft === 0) position = end
      result.ids.push(id)
      result.ends.push(end)
    })
    return result
  }

  #spelling(token: string, position: number): string {
    const { prefix } = this.#options
    return position > 0 && prefix !== '' && token.startsWith(prefix) ? token.slice(prefix.length) : token
  }
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length
}
