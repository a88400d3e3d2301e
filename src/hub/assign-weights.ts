import { CheckpointError } from '../errors.js'
import type { Parameter } from '../graph/index.js'
import type { Module } from '../nn/index.js'
import type { Architecture } from './architecture.js'

/** A tensor of a file, whose values are read when they are needed. */
export interface WeightInFile {
  readonly name: string
  readonly shape: readonly number[]
  read(): Float32Array
}

/** What messages call the files. */
export interface WeightsOrigin {
  /** The file or directory with the tensors. */
  readonly where: string
  /** What says how large they are. */
  readonly config: string
}

/**
 * Gives the parameters of a model their values.
 *
 * @returns the names of tensors that the model has no place for
 * @throws CheckpointError where a tensor is missing, or has another shape than the configuration says
 */
export function assignWeights<M extends Module>(
  model: M,
  architecture: Architecture<M>,
  tensors: Iterable<WeightInFile>,
  origin: WeightsOrigin,
): string[] {
  const parameters = model.parameters()
  const unused: string[] = []
  for (const tensor of tensors) {
    const name = architecture.parameterName(tensor.name, model)
    if (name === undefined) continue
    const parameter: Parameter | undefined = parameters[name]
    if (parameter !== undefined) {
      checkShape(origin, tensor, parameter)
      const data = tensor.read()
      parameter.data = architecture.fromFile?.(name, { shape: tensor.shape, data }) ?? data
    } else if (!architecture.ignores(model, name, tensor.read())) unused.push(tensor.name)
  }
  for (const [path, parameter] of Object.entries(parameters)) {
    const other = architecture.standIn?.(path)
    if (other !== undefined) parameter.data ??= parameters[other].data?.slice()
  }
  const missing = Object.keys(parameters).filter((path) => parameters[path].data === undefined)
  if (missing.length === 0) return unused
  const others = missing.length > 1 ? ` and ${missing.length - 1} more` : ''
  throw new CheckpointError(
    `${origin.where}: the tensor '${missing[0]}'${others} is missing from the weights that ${origin.config} asks for`,
  )
}

function checkShape({ where, config }: WeightsOrigin, { name, shape }: WeightInFile, parameter: Parameter): void {
  if (shape.length === parameter.shape.length && shape.every((size, i) => size === parameter.shape[i])) return
  throw new CheckpointError(
    `${where}: '${name}' has the shape [${shape.join(', ')}], ${config} asks for [${parameter.shape.join(', ')}]`,
  )
}
