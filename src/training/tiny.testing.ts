import { GPT, type GPTConfig } from '../models/index.js'
import { initialize } from '../nn/index.js'
import { causalLoss } from './objectives/causal-lm.js'
import type { Batch, Objective } from './objectives/objective.js'
import type { TrainerOptions } from './trainer.js'

/** Options of a trainer that clips and decays, so that tests notice where either is left out. */
export const tinyOptions: TrainerOptions = { betas: [0.9, 0.99], weightDecay: 0.1, clip: 1, accumulate: 1, seed: 7 }

/** T of {@link tinyObjective}. */
export const tinyLength = 5

/** A GPT of 1,784 parameters with its first weights. */
export function tinyModel(changes: Partial<GPTConfig> = {}): GPT {
  const sizes = { vocabularySize: 11, contextLength: 8, layers: 2, heads: 2, width: 8 }
  const model = new GPT({ ...sizes, bias: false, activation: 'gelu', deviation: 0.2, ...changes })
  initialize(model.parameters(), 5)
  return model
}

/**
 * Next-token prediction on rows of [tinyLength + 1] tokens that a rule makes up: batch i has the rows from i · B on, so
 * that two batches of B rows are one of 2·B.
 */
export function tinyObjective(model: GPT, batchSize: number): Objective {
  return {
    loss: (shape) => causalLoss(model, shape),
    trainingBatch: (index) => tinyBatch(index * batchSize, batchSize),
    evaluationBatches: () => [tinyBatch(1000, 3), tinyBatch(1003, 2)],
  }
}

/** Rows of tokens, many of them equal, from row number `first` on. */
export function tinyBatch(first: number, rows: number): Batch {
  const ids = new BigInt64Array(rows * tinyLength)
  const targets = new BigInt64Array(rows * tinyLength)
  for (let row = 0; row < rows; row++) {
    const token = (i: number) => BigInt(((first + row) * 7 + i * i * 3 + ((first + row) % 3) * i) % 11)
    for (let i = 0; i < tinyLength; i++) {
      ids[row * tinyLength + i] = token(i)
      targets[row * tinyLength + i] = token(i + 1)
    }
  }
  return { shape: [rows, tinyLength], feeds: { ids, targets }, examples: rows, predictions: ids.length }
}
