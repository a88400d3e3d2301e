import type { Tokenizer } from '../tokenizers/tokenizer.js'
import type { Candidate, CandidateRow } from './candidates.js'
import type { BeamStrategy } from './strategies.js'
import { firstOccurrence } from './text-stream.js'
import type { FinishReason, GenerationResult } from './types.js'

/** What the searches of all prompts have in common. */
export interface BeamSearch {
  readonly strategy: BeamStrategy
  readonly eosTokenIds: ReadonlySet<number>
  readonly tokenizer?: Pick<Tokenizer, 'decode'>
  readonly stop: readonly string[]
  readonly signal?: AbortSignal
}

/** A prompt to continue; its processors are applied to log probabilities, not logits, as Hugging Face does. */
export interface BeamPrompt extends CandidateRow {
  /** Most tokens to generate. */
  readonly limit: number
}

/** A running sequence. */
export interface Beam extends CandidateRow {
  /** Σ log p of the generated tokens, after processors and penalties. */
  readonly logProbability: number
  /** The row of the decoder that has been fed with it, or with all of it but its last token. */
  row: number
}

/** A beam and a token behind it. */
interface Continuation {
  readonly beam: Beam
  readonly token: number
  readonly logProbability: number
}

/** A sequence that ended. */
export interface FinishedBeam {
  /** The generated tokens. */
  readonly ids: readonly number[]
  readonly score: number
  readonly finishReason: FinishReason
}

/** How many continuations a step looks at: enough that some run on if all others end. */
export function searchWidth({ strategy, eosTokenIds }: BeamSearch): number {
  return Math.max(2, 1 + eosTokenIds.size) * (strategy.beams / strategy.beamGroups)
}

/**
 * The beams of one prompt, or of one of its groups, that are ranked among themselves.
 *
 * Every step takes the best 2·beams continuations (more with several end tokens). Those that end among the best `beams`
 * are kept as finished where they score better than the finished ones; the best that do not end run on.
 */
export class BeamGroup {
  /** The sequences that run on, the most likely first. */
  running: readonly Beam[]
  /** The best sequences that ended, by falling score. */
  finished: readonly FinishedBeam[] = []
  isDone = false
  readonly #prompt: BeamPrompt
  readonly #search: BeamSearch
  readonly #beams: number

  /** @param row the decoder's row that is fed with the prompt */
  constructor(prompt: BeamPrompt, row: number, search: BeamSearch) {
    this.running = [{ ids: prompt.ids, processors: prompt.processors, logProbability: 0, row }]
    this.#prompt = prompt
    this.#search = search
    this.#beams = search.strategy.beams / search.strategy.beamGroups
  }

  /**
   * Continues all sequences by one token.
   *
   * @param candidates the best next tokens of each of the decoder's rows
   * @param length how many tokens have been generated with these
   * @param uses how often earlier groups have chosen each token in this step
   */
  advance(
    candidates: readonly (readonly Candidate[])[],
    length: number,
    uses: ReadonlyMap<number, number> = new Map(),
  ): void {
    const best = this.#continuations(candidates, uses).map((continuation) => ({
      continuation,
      finishReason: this.#finishReason(continuation, length),
    }))
    for (const { continuation, finishReason } of best.slice(0, this.#beams)) {
      if (finishReason !== undefined) this.#finish(continuation, finishReason, length)
    }
    const kept = best.filter(({ finishReason }) => finishReason === undefined).slice(0, this.#beams)
    this.running = kept.map(({ continuation: { beam, token, logProbability } }) => ({
      ids: [...beam.ids, token],
      processors: beam.processors,
      logProbability,
      row: beam.row,
    }))
    this.isDone = kept.length === 0 || !this.#canImprove(length)
  }

  /** The best continuations of all beams, the best first; of equals the first beam's. */
  #continuations(
    candidates: readonly (readonly Candidate[])[],
    uses: ReadonlyMap<number, number>,
  ): readonly Continuation[] {
    const { diversityPenalty } = this.#search.strategy
    const width = searchWidth(this.#search)
    const best: Continuation[] = []
    for (const beam of this.running) {
      const tokens = candidates[beam.row]
      // A token without alternatives, a forced one say, is no choice that could be another one.
      const penalty = tokens.length === 1 ? 0 : diversityPenalty
      for (const { token, logProbability: own } of tokens) {
        const logProbability = beam.logProbability + own - (penalty === 0 ? 0 : penalty * (uses.get(token) ?? 0))
        let place = best.length
        while (place > 0 && best[place - 1].logProbability < logProbability) place--
        if (place < width) best.splice(place, 0, { beam, token, logProbability })
        if (best.length > width) best.pop()
      }
    }
    return best
  }

  #finishReason({ beam, token }: Continuation, length: number): FinishReason | undefined {
    const { eosTokenIds, stop, tokenizer } = this.#search
    if (eosTokenIds.has(token)) return 'stop'
    if (stop.length > 0 && tokenizer) {
      const generated = [...beam.ids.slice(this.#prompt.ids.length), token]
      if (firstOccurrence(tokenizer.decode(generated, { skipSpecialTokens: true }), stop) >= 0) return 'stop'
    }
    return length >= this.#prompt.limit ? 'length' : undefined
  }

  /** Keeps the sequence where it is among the best that ended. */
  #finish({ beam, token, logProbability }: Continuation, finishReason: FinishReason, length: number): void {
    const score = logProbability / this.#divisor(length)
    const place = this.finished.findLastIndex((other) => other.score >= score) + 1
    if (place >= this.#beams) return
    const ids = [...beam.ids.slice(this.#prompt.ids.length), token]
    this.finished = this.finished.toSpliced(place, 0, { ids, score, finishReason }).slice(0, this.#beams)
  }

  /** Whether the best running sequence could still beat the worst finished one, judged as `earlyStopping` says. */
  #canImprove(length: number): boolean {
    const { earlyStopping, lengthPenalty } = this.#search.strategy
    if (this.finished.length < this.#beams) return true
    if (earlyStopping === true) return false
    const bestLength = earlyStopping === 'never' && lengthPenalty > 0 ? this.#prompt.limit : length
    return this.running[0].logProbability / this.#divisor(bestLength) > this.finished[this.#beams - 1].score
  }

  /** What a sequence of this length divides its log probability by. */
  #divisor(length: number): number {
    const { lengthPenalty, lengthNormalization } = this.#search.strategy
    return (lengthNormalization === 'gnmt' ? (5 + length) / 6 : length) ** lengthPenalty
  }
}

/** A finished sequence with its text, where there is a tokenizer. */
export function beamResult({ ids, score, finishReason }: FinishedBeam, search: BeamSearch): GenerationResult {
  const { tokenizer, eosTokenIds, stop } = search
  if (!tokenizer) return { ids, finishReason, score }
  const isEnd = eosTokenIds.has(ids[ids.length - 1])
  const text = tokenizer.decode(isEnd ? ids.slice(0, -1) : ids, { skipSpecialTokens: true })
  const cut = firstOccurrence(text, stop)
  return { ids, text: cut < 0 ? text : text.slice(0, cut), finishReason, score }
}
