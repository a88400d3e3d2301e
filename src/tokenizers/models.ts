/// <reference path="./huggingface-tokenizers.d.ts" />
import { BPE, type Model } from '@huggingface/tokenizers'
import { TokenizerError } from '../errors.js'
import { characterLength } from './aligned-text.js'
import { BytePairModel } from './byte-pair-model.js'
import { modelVocabulary, scoredVocabulary, type TokenizerJson } from './tokenizer-json.js'
import { UnigramModel } from './unigram-model.js'
import { emptyTokens, type WordModel, type WordTokens } from './word-model.js'
import { WordPieceModel } from './word-piece-model.js'

/**
 * The model of a `tokenizer.json`: ours for byte-pair encoding without unknown tokens (GPT-2's and all byte-level ones),
 * WordPiece and unigram models, that of @huggingface/tokenizers for other byte-pair encodings.
 *
 * @throws TokenizerError for a type that is not known here, and for a damaged model
 */
export function createModel(json: TokenizerJson): WordModel {
  const { model } = json
  const ids = new Map(modelVocabulary(json))
  const unknownId = model.unk_id ?? (model.unk_token ? ids.get(model.unk_token) : undefined)
  switch (model.type ?? (model.merges ? 'BPE' : 'WordPiece')) {
    case 'BPE': {
      const affixes = model.continuing_subword_prefix || model.end_of_word_suffix
      if (model.unk_token || model.byte_fallback || affixes) return new LibraryModel(json, ids, unknownId)
      return new BytePairModel(ids, mergesOf(model.merges, ids), { wholeWords: model.ignore_merges === true })
    }
    case 'WordPiece':
      return new WordPieceModel({
        ids,
        unknownId: required(unknownId, `the token ${model.unk_token}`),
        prefix: String(model.continuing_subword_prefix ?? '##'),
        longest: Number(model.max_input_chars_per_word ?? 100),
      })
    case 'Unigram':
      if (model.byte_fallback)
        throw new TokenizerError('tokenizer.json: byte_fallback of Unigram is not available in JavaScript')
      return new UnigramModel(scoredVocabulary(json), required(unknownId, 'unk_id'))
    default:
      throw new TokenizerError(
        `tokenizer.json: expected a model BPE, Unigram or WordPiece in JavaScript, got ${model.type}`,
      )
  }
}

function required(id: number | undefined, what: string): number {
  if (id === undefined) throw new TokenizerError(`tokenizer.json: expected ${what} in the model, it is missing`)
  return id
}

/** @param ids where merges must be of tokens, and into tokens, that have one */
function mergesOf(merges: unknown, ids: ReadonlyMap<string, number> | undefined): [string, string][] {
  if (!Array.isArray(merges)) throw new TokenizerError('tokenizer.json: expected model.merges to be a list')
  return merges.map((merge: unknown) => {
    const pair = typeof merge === 'string' ? merge.split(' ') : merge
    const [left, right] = Array.isArray(pair) && pair.length === 2 ? [String(pair[0]), String(pair[1])] : ['', '']
    if (ids === undefined ? left + right !== '' : ids.has(left) && ids.has(right) && ids.has(left + right)) {
      return [left, right]
    }
    throw new TokenizerError(
      `tokenizer.json: expected merges of two tokens of the vocabulary, got ${JSON.stringify(merge)}`,
    )
  })
}

/** Byte-pair encoding of @huggingface/tokenizers, which knows tokens but not where they lie in the word. */
class LibraryModel implements WordModel {
  readonly #model: Model
  readonly #ids: ReadonlyMap<string, number>
  readonly #unknownId: number | undefined

  constructor({ model }: TokenizerJson, ids: ReadonlyMap<string, number>, unknownId: number | undefined) {
    this.#ids = ids
    this.#unknownId = unknownId
    mergesOf(model.merges, undefined)
    this.#model = new BPE(model)
  }

  /** Finds the tokens in the word: each is spelled in it, is a byte of a character, or stands for unknown text. */
  encode(word: string): WordTokens {
    const result = emptyTokens()
    const tokens = this.#model([word])
    let start = 0
    let bytesLeft = 0
    tokens.forEach((token, i) => {
      const id = this.#ids.get(token) ?? this.#unknownId
      if (id === undefined) return
      let end = start + token.length
      if (!word.startsWith(token, start)) {
        end = start + characterLength(word, start)
        if (/^<0x[\dA-F]{2}>$/.test(token)) {
          bytesLeft = (bytesLeft || new TextEncoder().encode(word.slice(start, end)).length) - 1
        } else {
          const next = tokens[i + 1]
          if (next === undefined) end = word.length
          else if (this.#ids.get(next) !== this.#unknownId) end = Math.max(end, word.indexOf(next, end))
        }
      }
      result.ids.push(id)
      result.starts.push(start)
      result.ends.push(end)
      if (bytesLeft === 0) start = end
    })
    return result
  }
}
