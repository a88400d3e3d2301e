import { characterLength } from './aligned-text.js'
import { emptyTokens, type WordModel, type WordTokens } from './word-model.js'

/** What a {@link WordPieceModel} is made of. */
export interface WordPieceOptions {
  readonly ids: ReadonlyMap<string, number>
  readonly unknownId: number

  /** What tokens inside of a word begin with, `##`. */
  readonly prefix: string

  /** Words of more characters are unknown. */
  readonly longest: number
}

/** Encoding with WordPiece (Devlin et al. 2019): from the left, always the longest token that fits. */
export class WordPieceModel implements WordModel {
  readonly #options: WordPieceOptions

  constructor(options: WordPieceOptions) {
    this.#options = options
  }

  /** The tokens of a word; the unknown token alone where no tokens make up all of it. */
  encode(word: string): WordTokens {
    const { ids, unknownId, prefix, longest } = this.#options
    const unknown = { ids: [unknownId], starts: [0], ends: [word.length] }
    if (word.length > longest && [...word].length > longest) return unknown
    const tokens = emptyTokens()
    let start = 0
    while (start < word.length) {
      const lead = start > 0 ? prefix : ''
      let end = word.length
      let id = ids.get(lead + word.slice(start, end))
      while (id === undefined && end > start) {
        end -= end > 1 && characterLength(word, end - 2) === 2 ? 2 : 1
        if (end > start) id = ids.get(lead + word.slice(start, end))
      }
      if (id === undefined) return unknown
      tokens.ids.push(id)
      tokens.starts.push(start)
      tokens.ends.push(end)
      start = end
    }
    return tokens
  }
}
