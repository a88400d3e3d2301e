import { type AllowedTokens, allowedTokens, areConstraints } from './constraints.js'
import type { LogitProcessor } from './processors.js'
import type { Decoder, TokenCandidates } from './types.js'

/** A possible next token of a row. */
export interface Candidate {
  readonly token: number
  /** log softmax(logits) of the token, after the processors. */
  readonly logProbability: number
}

/** A row as far as the choice of its next token goes. */
export interface CandidateRow {
  /** Prompt and generated tokens. */
  readonly ids: readonly number[]
  readonly processors: readonly LogitProcessor[]
}

/** What a decoder is fed with: the prompts of new rows, or a token for each running one. */
export type DecoderFeed = { readonly prompts: readonly (readonly number[])[] } | { readonly tokens: readonly number[] }

/** Whether a decoder finds the best tokens of rows by itself. That needs rows without other processors than constraints. */
export function findsCandidates(decoder: Decoder, rows: readonly CandidateRow[]): decoder is Required<Decoder> {
  return decoder.startCandidates !== undefined && rows.every(({ processors }) => areConstraints(processors))
}

/**
 * Feeds a decoder and returns the best next tokens of each row, the best first; fewer where constraints leave fewer.
 *
 * @param rows the decoder's rows after the feed's prompts or before the feed's tokens, the tokens being in their ids
 * @param count how many tokens of each row are wanted
 */
export async function nextCandidates(
  decoder: Decoder,
  feed: DecoderFeed,
  rows: readonly CandidateRow[],
  count: number,
): Promise<Candidate[][]> {
  if (findsCandidates(decoder, rows)) return constrainedCandidates(decoder, feed, rows, count)
  const logits = await ('prompts' in feed ? decoder.start(feed.prompts) : decoder.step(feed.tokens))
  const scratch = new Float32Array(decoder.vocabularySize)
  return rows.map(({ ids, processors }, i) => {
    if (processors.length === 0) return bestOf(logits[i], count, logPartition(logits[i]))
    const shift = logPartition(logits[i])
    for (let token = 0; token < scratch.length; token++) scratch[token] = logits[i][token] - shift
    for (const process of processors) process(scratch, ids)
    return bestOf(scratch, count, 0)
  })
}

async function constrainedCandidates(
  decoder: Required<Decoder>,
  feed: DecoderFeed,
  rows: readonly CandidateRow[],
  count: number,
): Promise<Candidate[][]> {
  const allowed = rows.map(({ ids, processors }) => allowedTokens(areConstraints(processors) ? processors : [], ids))
  const mostBanned = allowed.reduce((most, { banned }) => Math.max(most, banned.size), 0)
  const asked = Math.min(count + mostBanned, decoder.vocabularySize)
  const found = await ('prompts' in feed
    ? decoder.startCandidates(feed.prompts, asked)
    : decoder.stepCandidates(feed.tokens, asked))
  return allowed.map((of, row) => candidatesOf(found, row, of).slice(0, count))
}

function candidatesOf(found: TokenCandidates, row: number, { forced, banned }: AllowedTokens): Candidate[] {
  if (forced !== undefined) return [{ token: forced, logProbability: 0 }]
  const candidates: Candidate[] = []
  for (let i = row * found.count; i < (row + 1) * found.count; i++) {
    const [token, logProbability] = [found.ids[i], found.logProbabilities[i]]
    if (logProbability > -Infinity && !banned.has(token)) candidates.push({ token, logProbability })
  }
  return candidates
}

/** log Σ e^logit, computed without overflow. */
function logPartition(logits: Float32Array): number {
  let top = -Infinity
  for (let i = 0; i < logits.length; i++) if (logits[i] > top) top = logits[i]
  let sum = 0
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - top)
  return top + Math.log(sum)
}

/** The `count` largest values less a shift, the largest first and of equals the first; neither −Infinity nor NaN. */
function bestOf(values: Float32Array, count: number, shift: number): Candidate[] {
  const tokens = new Int32Array(count)
  const best = new Float32Array(count)
  let [size, threshold] = [0, -Infinity]
  for (let token = 0; token < values.length; token++) {
    const value = values[token]
    // All but a few tokens end here.
    if (!(value > threshold)) continue
    let place = size < count ? size++ : count - 1
    for (; place > 0 && best[place - 1] < value; place--) {
      best[place] = best[place - 1]
      tokens[place] = tokens[place - 1]
    }
    best[place] = value
    tokens[place] = token
    if (size === count) threshold = best[count - 1]
  }
  return Array.from({ length: size }, (_, i) => ({ token: tokens[i], logProbability: best[i] - shift }))
}
