import { Lattice } from './lattice.js'
import { emptyTokens, type WordModel, type WordTokens } from './word-model.js'

/** Encoding with a unigram language model (Kudo 2018): the most probable way to make a word of pieces. */
export class UnigramModel implements WordModel {
  readonly #lattice: Lattice
  readonly #unknownId: number
  readonly #characters = new Map<string, number>()

  /**
   * @param pieces by their ids, with the logarithms of their probabilities
   * @param unknownId for characters that are no pieces; several in a row are one token
   */
  constructor(pieces: readonly (readonly [piece: string, score: number])[], unknownId: number) {
    this.#unknownId = unknownId
    const symbols: number[] = []
    const starts: number[] = []
    const lengths: number[] = []
    for (const [piece] of pieces) {
      starts.push(symbols.length)
      for (const character of piece) symbols.push(this.#symbolOf(character))
      lengths.push(symbols.length - starts[starts.length - 1])
    }
    const scores = Float64Array.from(pieces, ([, score]) => score)
    const model = { starts: Int32Array.from(starts), lengths: Uint16Array.from(lengths), scores }
    this.#lattice = new Lattice(model, Int32Array.from(symbols))
  }

  encode(word: string): WordTokens {
    const characters = [...word]
    const symbols = Int32Array.from(characters, (character) => this.#characters.get(character) ?? -1)
    this.#lattice.open(symbols, 0, symbols.length)
    const tokens = emptyTokens()
    let place = 0
    let end = 0
    for (const { piece, length } of this.#lattice.bestWay()) {
      const start = end
      for (let i = 0; i < length; i++) end += characters[place++].length
      const isUnknown = piece < 0 || piece === this.#unknownId
      if (isUnknown && tokens.ids.at(-1) === this.#unknownId) tokens.ends[tokens.ends.length - 1] = end
      else {
        tokens.ids.push(isUnknown ? this.#unknownId : piece)
        tokens.starts.push(start)
        tokens.ends.push(end)
      }
    }
    return tokens
  }

  #symbolOf(character: string): number {
    const known = this.#characters.get(character)
    if (known !== undefined) return known
    this.#characters.set(character, this.#characters.size)
    return this.#characters.size - 1
  }
}
