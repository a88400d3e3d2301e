import { CheckpointError, DataError } from '../errors.js'
import { input } from '../graph/index.js'
import { loadModel } from '../hub/checkpoint.js'
import { GPT } from '../models/index.js'
import { evaluate, float32 } from '../runtime/index.js'

/**
 * The logits that a GPT computes for token ids.
 *
 * @param path a checkpoint or a training run
 * @param ids one sequence
 * @returns shape [T, V] and T rows of V logits
 * @throws DataError where an id is not in the vocabulary or the sequence is longer than the context
 */
export async function nextTokenLogits(path: string, ids: readonly number[]) {
  const { model } = loadModel(path)
  if (!(model instanceof GPT))
    throw new CheckpointError(`${path}: logits needs a GPT, this is a ${model.constructor.name}`)
  checkIds(ids, model.config)
  const sequence = input('ids', 'int64', [1, ids.length])
  const logits = float32(await evaluate(model.forward(sequence), { ids: BigInt64Array.from(ids, BigInt) }))
  const { vocabularySize } = model.config
  const rows = ids.map((_, i) => logits.subarray(i * vocabularySize, (i + 1) * vocabularySize))
  return { shape: [ids.length, vocabularySize], rows }
}

/** @throws DataError where ids do not fit a model's vocabulary or context */
export function checkIds(ids: readonly number[], config: { vocabularySize: number; contextLength: number }): void {
  const { vocabularySize, contextLength } = config
  if (ids.length > contextLength) {
    throw new DataError(`${ids.length} tokens do not fit the model's context of ${contextLength}`)
  }
  const outside = ids.findIndex((id) => id >= vocabularySize)
  if (outside >= 0) {
    throw new DataError(
      `token id ${ids[outside]} at position ${outside + 1} is not in the vocabulary of ${vocabularySize} tokens`,
    )
  }
}
