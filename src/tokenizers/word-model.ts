/** The tokens of a word: their ids, and where each starts and ends in the word, in UTF-16 units of the word. */
export interface WordTokens {
  readonly ids: readonly number[]
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/** Turns words into tokens. */
export interface WordModel {
  encode(word: string): WordTokens
}

/** Tokens of a word that are still being found. */
export function emptyTokens(): { ids: number[]; starts: number[]; ends: number[] } {
  return { ids: [], starts: [], ends: [] }
}
