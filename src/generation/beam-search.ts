import { RuntimeError } from '../errors.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { type LogitProcessor, largest } from './processors.js'
import type { BeamStrategy } from './strategies.js'
import { firstOccurrence } from './text-stream.js'
import type { Decoder, FinishReason, GenerationResult } from './types.js'

/** What a beam search needs besides the model and the prompt. */
export interface BeamSearch {
  readonly strategy: BeamStrategy
  /** Applied to log probabilities, not logits, as Hugging Face does. */
  readonly processors: readonly LogitProcessor[]
  readonly eosTokenIds: ReadonlySet<number>
  /** Most tokens to generate. */
  readonly limit: number
  readonly tokenizer?: Pick<Tokenizer, 'decode'>
  readonly stop: readonly string[]
  readonly signal?: AbortSignal
}

/** A running sequence. */
interface Beam {
  /** Prompt and generated tokens. */
  readonly ids: readonly number[]
  /** Σ log p of the generated tokens, after the processors. */
  readonly logProbability: number
}

/** A beam continued by one token. */
interface Candidate extends Beam {
  /** Index of the beam. */
  readonly source: number
  readonly finishReason: FinishReason | undefined
}

interface Finished extends Candidate {
  readonly score: number
}

/**
 * Continues a prompt along its most likely sequences; see beamSearch in strategies.ts for the scores.
 *
 * Every step takes the best 2·beams continuations (more with several end tokens). Those that end among the best `beams`
 * are kept as finished where they score better than the finished ones; the best that do not end run on.
 *
 * @returns the best `returnSequences` sequences by falling score
 * @throws RuntimeError where the processors or the model leave no token
 */
export async function searchBeams(
  decoder: Decoder,
  prompt: readonly number[],
  search: BeamSearch,
): Promise<GenerationResult[]> {
  const { strategy, signal } = search
  const width = Math.max(2, 1 + search.eosTokenIds.size) * strategy.beams
  signal?.throwIfAborted()
  let logits = await decoder.start([prompt])
  let running: Beam[] = [{ ids: prompt, logProbability: 0 }]
  let finished: Finished[] = []
  for (let length = 1; ; length++) {
    const scores = running.map(({ ids, logProbability }, i) => continuations(logits[i], ids, logProbability, search))
    const candidates = best(scores, width).map((choice) => extend(running[choice.source], choice, length, search))
    finished = mergeFinished(finished, candidates.slice(0, strategy.beams), length, strategy)
    const kept = candidates.filter(({ finishReason }) => !finishReason).slice(0, strategy.beams)
    if (kept.length === 0 || !canImprove(kept[0], finished, length, search)) break
    decoder.reorder(kept.map(({ source }) => source))
    signal?.throwIfAborted()
    logits = await decoder.step(kept.map(({ ids }) => ids[ids.length - 1]))
    running = kept
  }
  if (finished.length === 0) {
    throw new RuntimeError('beamSearch: expected finite logits, got none; the logit processors leave no token')
  }
  return finished.slice(0, strategy.returnSequences).map((sequence) => resultOf(sequence, prompt.length, search))
}

/** log softmax(logits), processed, plus the log probability so far: the log probability of every continuation, [V]. */
function continuations(
  logits: Float32Array,
  ids: readonly number[],
  logProbability: number,
  { processors }: BeamSearch,
): Float32Array {
  const scores = Float32Array.from(logits)
  const top = largest(scores)
  let sum = 0
  for (let i = 0; i < scores.length; i++) sum += Math.exp(scores[i] - top)
  const shift = top + Math.log(sum)
  for (let i = 0; i < scores.length; i++) scores[i] -= shift
  for (const process of processors) process(scores, ids)
  for (let i = 0; i < scores.length; i++) scores[i] += logProbability
  return scores
}

interface Choice {
  readonly source: number
  readonly token: number
  readonly logProbability: number
}

/** The `count` best continuations of all beams, the best first; of equals the first beam's and the first token. */
function best(scores: readonly Float32Array[], count: number): Choice[] {
  const chosen: Choice[] = []
  let threshold = -Infinity
  for (const [source, row] of scores.entries()) {
    for (let token = 0; token < row.length; token++) {
      const logProbability = row[token]
      if (!(logProbability > threshold)) continue
      let place = chosen.length
      while (place > 0 && chosen[place - 1].logProbability < logProbability) place--
      chosen.splice(place, 0, { source, token, logProbability })
      if (chosen.length > count) chosen.pop()
      if (chosen.length === count) threshold = chosen[count - 1].logProbability
    }
  }
  return chosen
}

function extend(beam: Beam, choice: Choice, length: number, search: BeamSearch): Candidate {
  const ids = [...beam.ids, choice.token]
  const stops = search.eosTokenIds.has(choice.token) || containsStop(ids.slice(-length), search)
  const finishReason = stops ? 'stop' : length >= search.limit ? 'length' : undefined
  return { ids, logProbability: choice.logProbability, source: choice.source, finishReason }
}

function containsStop(generated: readonly number[], { stop, tokenizer }: BeamSearch): boolean {
  if (stop.length === 0 || !tokenizer) return false
  return firstOccurrence(tokenizer.decode(generated, { skipSpecialTokens: true }), stop) >= 0
}

/** Adds the candidates that end and keeps the best `beams` finished sequences, sorted by falling score. */
function mergeFinished(
  finished: Finished[],
  candidates: Candidate[],
  length: number,
  strategy: BeamStrategy,
): Finished[] {
  const added = candidates
    .filter(({ finishReason }) => finishReason)
    .map((candidate) => ({ ...candidate, score: candidate.logProbability / length ** strategy.lengthPenalty }))
  return [...finished, ...added].sort((a, b) => b.score - a.score).slice(0, strategy.beams)
}

/** Whether the best running beam could still beat the worst finished one, judged as `earlyStopping` says. */
function canImprove(running: Beam, finished: readonly Finished[], length: number, search: BeamSearch): boolean {
  const { beams, earlyStopping, lengthPenalty } = search.strategy
  if (finished.length < beams) return true
  if (earlyStopping === true) return false
  const bestLength = earlyStopping === 'never' && lengthPenalty > 0 ? search.limit : length
  return running.logProbability / bestLength ** lengthPenalty > finished[beams - 1].score
}

function resultOf(sequence: Finished, promptLength: number, search: BeamSearch): GenerationResult {
  const { finishReason = 'length', score } = sequence
  const ids = sequence.ids.slice(promptLength)
  if (!search.tokenizer) return { ids, finishReason, score }
  const isEnd = search.eosTokenIds.has(ids[ids.length - 1])
  const text = search.tokenizer.decode(isEnd ? ids.slice(0, -1) : ids, { skipSpecialTokens: true })
  const cut = firstOccurrence(text, search.stop)
  return { ids, text: cut < 0 ? text : text.slice(0, cut), finishReason, score }
}
