import { sortedBatches } from '../data/length-batches.js'
import type { Module } from '../nn/index.js'

/** A text of which a model did not see all. */
export interface CutText {
  /** Which of the given texts, from 0. */
  readonly index: number
  /** How many tokens were cut off. */
  readonly removed: number
}

/** Texts of a batch. */
const batchSize = 32

/**
 * What a model makes of sequences, a batch of similar lengths at a time, in the order of the sequences.
 *
 * @param width values of each sequence
 * @param compute the values of some sequences [B, width]
 * @returns [sequences, width]
 */
export async function runSorted<Sequence extends { readonly ids: ArrayLike<number> }>(
  sequences: readonly Sequence[],
  width: number,
  compute: (sequences: Sequence[]) => Promise<Float32Array>,
): Promise<Float32Array> {
  const found = new Float32Array(sequences.length * width)
  const lengths = sequences.map(({ ids }) => ids.length)
  for (const rows of sortedBatches(lengths, batchSize)) {
    const values = await compute(rows.map((row) => sequences[row]))
    for (const [i, row] of rows.entries()) found.set(values.subarray(i * width, (i + 1) * width), row * width)
  }
  return found
}

/** Tells of every text that was cut. */
export function reportCuts(
  texts: readonly { readonly removed: number }[],
  onCut: ((cut: CutText) => void) | undefined,
): void {
  for (const [index, { removed }] of texts.entries()) if (removed > 0) onCut?.({ index, removed })
}

/** Bytes of parameters up to which they are worth being held twice, by the model and prepared by the engine. */
const largestPrepared = 2 ** 30

/** How a program that is only run keeps a model's parameters: prepared, for faster products, where they are not too many. */
export function parameterMode(model: Module): 'constants' | 'inputs' {
  const bytes = Object.values(model.parameters()).reduce((sum, { size }) => sum + 4 * size, 0)
  return bytes <= largestPrepared ? 'constants' : 'inputs'
}
