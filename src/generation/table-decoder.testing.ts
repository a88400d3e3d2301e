import type { Decoder, TokenCandidates } from './types.js'

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

/** The same, but it also finds the best tokens of its rows. */
export class CandidateTableDecoder extends TableDecoder {
  /** How many tokens of a row were asked for, call by call. */
  readonly counts: number[] = []

  async startCandidates(prompts: readonly (readonly number[])[], count: number): Promise<TokenCandidates> {
    return this.#best(await this.start(prompts), count)
  }

  async stepCandidates(tokens: readonly number[], count: number): Promise<TokenCandidates> {
    return this.#best(await this.step(tokens), count)
  }

  #best(rows: Float32Array[], count: number): TokenCandidates {
    if (!(count >= 1 && count <= VOCABULARY_SIZE)) throw new RangeError(`${count} of ${VOCABULARY_SIZE} tokens`)
    this.counts.push(count)
    const best = rows.flatMap((logits) => {
      const partition = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0))
      const all = [...logits].map((logit, token) => ({ token, logProbability: logit - partition }))
      return all.sort((a, b) => b.logProbability - a.logProbability).slice(0, count)
    })
    return {
      count,
      ids: Int32Array.from(best, ({ token }) => token),
      logProbabilities: Float32Array.from(best, ({ logProbability }) => logProbability),
    }
  }
}

/** The logits after tokens a, b; a is 0 at the start. */
export function tableLogits(a: number, b: number): Float32Array {
  const logit = (v: number) => ((a * 3163 + b * 1741 + v * v * 733 + v * (a * 57 + 131) + 5) % 10007) / 2500
  return Float32Array.from({ length: VOCABULARY_SIZE }, (_, v) => logit(v) + (v === 0 ? 0.5 : 0))
}
