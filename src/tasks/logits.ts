import { CheckpointError, DataError } from '../errors.js'
import { input } from '../graph/index.js'
import { loadModel } from '../hub/checkpoint.js'
import { isCausalLanguageModel } from '../models/index.js'
import { evaluate, float32 } from '../runtime/index.js'

/**
 * The logits that a language model computes for token ids.
 *
 * @param path a checkpoint or a training run
 * @param ids one sequence
 * @returns shape [T, V] and T rows of V logits
 * @throws DataError where an id is not in the vocabulary or the sequence is longer than the context
 */
export async function nextTokenLogits(path: string, ids: readonly number[]) {
  const { model } = loadModel(path)
  if (!isCausalLanguageModel(model)) {
    throw new CheckpointError(
      `${path}: logits needs a language model such as GPT or Llama, this is a ${model.constructor.name}`,
    )
  }
  const { vocabularySize, contextLength } = model.config
  checkIds(ids, vocabularySize)
  if (ids.length === 0 || ids.length > contextLength) {
    throw new DataError(`${path}: expected 1 to ${contextLength} tokens (the model's context), got ${ids.length}`)
  }
  const sequence = input('ids', 'int64', [1, ids.length])
  const logits = float32(await evaluate(model.forward(sequence), { ids: BigInt64Array.from(ids, BigInt) }))
  const rows = ids.map((_, i) => logits.subarray(i * vocabularySize, (i + 1) * vocabularySize))
  return { shape: [ids.length, vocabularySize], rows }
}

/** @throws DataError where an id is not in a vocabulary */
export function checkIds(ids: readonly number[], vocabularySize: number): void {
  const outside = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabularySize))
  if (outside < 0) return
  throw new DataError(
    `token id ${ids[outside]} at position ${outside + 1} is not in the vocabulary of ${vocabularySize} tokens`,
  )
}
