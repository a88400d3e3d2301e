import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CheckpointError, UsageError } from '../errors.js'
import type { NamedTensors } from './architecture.js'
import { makeFolder, readCheckpointTensors, writeFileAtomically } from './files.js'
import { serializeSafetensors } from './safetensors.js'

/** Files that belong to one checkpoint's weights, or to the training that it was saved in. */
const notCopied = /^(model.*\.safetensors(\.index\.json)?|training_state\..*|config\.json)$/

/**
 * Writes a checkpoint whose weights are the mean of others' (Vaswani et al. 2017, §6.1, where it is that of the last ones of
 * a training). All else is that of the last one.
 *
 * @param directories Hugging Face checkpoints of one model, which may differ in the values of their weights only
 * @param out the new directory, made where it is missing
 * @throws CheckpointError where a checkpoint cannot be read or is of another model; UsageError where none is given
 */
export function averageCheckpoints(directories: readonly string[], out: string): void {
  const last = directories.at(-1)
  if (last === undefined) throw new UsageError('averageCheckpoints: expected at least one checkpoint, got none')
  const tensors = [...meanTensors(directories)].map(([name, { shape, data }]) => ({
    name,
    dtype: 'F32' as const,
    shape,
    data,
  }))
  makeFolder(out)
  for (const name of readdirSync(last)) {
    if (!notCopied.test(name)) cpSync(join(last, name), join(out, name), { recursive: true })
  }
  writeFileAtomically(join(out, 'model.safetensors'), serializeSafetensors(tensors))
  // Last, so that a directory with a config.json is whole.
  const config = join(last, 'config.json')
  if (existsSync(config)) writeFileAtomically(join(out, 'config.json'), readFileSync(config, 'utf8'))
}

/** The mean of each tensor, summed in float64. */
function meanTensors(directories: readonly string[]): NamedTensors {
  const sums = new Map<string, { readonly shape: readonly number[]; readonly sum: Float64Array }>()
  for (const [i, directory] of directories.entries()) {
    const tensors = readCheckpointTensors(directory)
    for (const [name, { shape, data }] of tensors) {
      const known = sums.get(name)
      if (i === 0) sums.set(name, { shape, sum: Float64Array.from(data) })
      else if (known !== undefined && String(known.shape) === String(shape)) add(known.sum, data)
      else throw otherModel(directory, directories[0], name)
    }
    const missing = [...sums.keys()].find((name) => !tensors.has(name))
    if (missing !== undefined) throw otherModel(directory, directories[0], missing)
  }
  const count = directories.length
  return new Map(
    [...sums].map(([name, { shape, sum }]) => [
      name,
      { shape, data: Float32Array.from(sum, (value) => value / count) },
    ]),
  )
}

function add(sum: Float64Array, values: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] += values[i]
}

function otherModel(directory: string, first: string, name: string): CheckpointError {
  return new CheckpointError(`${directory}: '${name}' is not as in ${first}; only checkpoints of one model have a mean`)
}
