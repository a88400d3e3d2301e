import { RuntimeError } from '../errors.js'
import { BeamGroup, type BeamPrompt, type BeamSearch, beamResult, searchWidth } from './beam-group.js'
import { nextCandidates } from './candidates.js'
import type { BeamStrategy } from './strategies.js'
import type { Decoder, GenerationResult } from './types.js'

/** The sequences that were found for a prompt. */
export interface BeamResults {
  /** Index of the prompt. */
  readonly row: number
  /** The best `returnSequences` sequences by falling score. */
  readonly results: readonly GenerationResult[]
}

/**
 * Continues prompts along their most likely sequences; see beamSearch in strategies.ts for the scores.
 *
 * The decoder's rows are the running sequences of all prompts. A prompt leaves the batch when its search ends; what it
 * gets is what it gets alone.
 *
 * @returns the sequences of each prompt, in the order in which the searches end
 * @throws RuntimeError where the processors or the model leave no token
 */
export async function* searchBeams(
  decoder: Decoder,
  prompts: readonly BeamPrompt[],
  search: BeamSearch,
): AsyncGenerator<BeamResults, void> {
  const { strategy, signal } = search
  const count = Math.min(searchWidth(search) + mostPenalized(strategy), decoder.vocabularySize)
  let active = prompts.map((prompt, row) => new PromptSearch(prompt, row, search))
  signal?.throwIfAborted()
  let candidates = await nextCandidates(decoder, { prompts: prompts.map(({ ids }) => ids) }, prompts, count)
  for (let length = 1; ; length++) {
    for (const each of active) each.advance(candidates, length)
    for (const each of active) if (each.isDone) yield each.results()
    active = active.filter(({ isDone }) => !isDone)
    if (active.length === 0) return
    const beams = active.flatMap(({ running }) => running)
    decoder.reorder(beams.map(({ row }) => row))
    for (const [row, beam] of beams.entries()) beam.row = row
    signal?.throwIfAborted()
    candidates = await nextCandidates(decoder, { tokens: beams.map(({ ids }) => ids[ids.length - 1]) }, beams, count)
  }
}

/** How many tokens of a row diversity may move behind others: those that earlier groups can have chosen. */
function mostPenalized({ beams, beamGroups, diversityPenalty }: BeamStrategy): number {
  return diversityPenalty === 0 ? 0 : beams - beams / beamGroups
}

/** The search of one prompt: one group of beams, or several that keep out of each other's way. */
class PromptSearch {
  readonly #row: number
  readonly #search: BeamSearch
  readonly #groups: readonly BeamGroup[]

  constructor(prompt: BeamPrompt, row: number, search: BeamSearch) {
    this.#row = row
    this.#search = search
    this.#groups = Array.from({ length: search.strategy.beamGroups }, () => new BeamGroup(prompt, row, search))
  }

  get isDone(): boolean {
    return this.#groups.every(({ isDone }) => isDone)
  }

  get running() {
    return this.#groups.flatMap(({ running, isDone }) => (isDone ? [] : running))
  }

  /** Continues one group after another: those that follow see what those before have chosen in this step. */
  advance(candidates: Parameters<BeamGroup['advance']>[0], length: number): void {
    const uses = new Map<number, number>()
    for (const group of this.#groups) {
      if (group.isDone) continue
      group.advance(candidates, length, uses)
      for (const { ids } of group.running) {
        const token = ids[ids.length - 1]
        uses.set(token, (uses.get(token) ?? 0) + 1)
      }
    }
  }

  results(): BeamResults {
    const finished = this.#groups.flatMap((group) => group.finished).sort((a, b) => b.score - a.score)
    if (finished.length === 0) {
      throw new RuntimeError('beamSearch: expected finite logits, got none; the logit processors leave no token')
    }
    const best = finished.slice(0, this.#search.strategy.returnSequences)
    return { row: this.#row, results: best.map((sequence) => beamResult(sequence, this.#search)) }
  }
}
