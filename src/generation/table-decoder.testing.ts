import type { Decoder } from './types.js'

const VOCABULARY_SIZE = 12

/**
 * A stand-in for a model, for tests: logits are a fixed table of the last two tokens, logits[v] =
 * ((3163a + 1741b + 733v² + v(57a + 131) + 5) mod 10007) / 2500, and 0.5 more for v = 0. Python repeats it exactly.
 */
export class TableDecoder implements Decoder {
  readonly vocabularySize = VOCABULARY_SIZE
  /** What every row has been fed. */
  rows: number[][] = []
  /** Number of rows of every call. */
  readonly batchSizes: number[] = []

  constructor(readonly contextLength = 64) {}

  async start(prompts: readonly (readonly number[])[]): Promise<Float32Array[]> {
    this.rows = prompts.map((prompt) => [...prompt])
    return this.#logits()
  }

  async step(tokens: readonly number[]): Promise<Float32Array[]> {
    if (tokens.length !== this.rows.length) throw new RangeError(`${tokens.length} tokens for ${this.rows.length} rows`)
    this.rows = this.rows.map((row, i) => [...row, tokens[i]])
    return this.#logits()
  }

  reorder(source: readonly number[]): void {
    this.rows = source.map((i) => this.rows[i])
  }

  #logits(): Float32Array[] {
    this.batchSizes.push(this.rows.length)
    return this.rows.map((row) => {
      if (row.length > this.contextLength) throw new RangeError(`${row.length} tokens fed to ${this.contextLength}`)
      return tableLogits(row.at(-2) ?? 0, row[row.length - 1])
    })
  }
}

/** The logits after tokens a, b; a is 0 at the start. */
export function tableLogits(a: number, b: number): Float32Array {
  const logit = (v: number) => ((a * 3163 + b * 1741 + v * v * 733 + v * (a * 57 + 131) + 5) % 10007) / 2500
  return Float32Array.from({ length: VOCABULARY_SIZE }, (_, v) => logit(v) + (v === 0 ? 0.5 : 0))
}
