import type { RowGradient } from '../autodiff/index.js'
import { arrayType } from '../graph/dtype.js'
import { evaluateDimension, Parameter, reachable, Tensor } from '../graph/index.js'

/** Operations whose output is their first input's memory. */
const views: ReadonlySet<string> = new Set(['Reshape'])

/**
 * About how many bytes of intermediate results a program holds at its worst moment.
 *
 * Every tensor counts from the operation that makes it to the last one that reads it, outputs to the end; parameters and
 * what an operation needs within itself do not count. The engine may order operations otherwise and rounds sizes up.
 *
 * @param outputs what the program computes
 * @param dimensions the sizes of the graph's named dimensions
 * @returns bytes
 * @throws ShapeError where a named dimension has no size
 */
export function estimateMemory(
  outputs: Readonly<Record<string, Tensor | RowGradient>>,
  dimensions: ReadonlyMap<string, number>,
): number {
  const roots = Object.values(outputs).flatMap((output) =>
    output instanceof Tensor
      ? [output]
      : [...(output.dense ? [output.dense] : []), ...output.parts.flatMap(({ ids, rows }) => [ids, rows])],
  )
  const order = reachable(roots)
  const readers = new Map<Tensor, number>()
  const count = (tensor: Tensor, change: number) => {
    const left = (readers.get(owner(tensor)) ?? 0) + change
    readers.set(owner(tensor), left)
    return left
  }
  const applications = [...new Set(order.flatMap(({ application }) => application ?? []))]
  for (const root of roots) count(root, 1)
  for (const { inputs } of applications) for (const read of inputs) if (read !== undefined) count(read, 1)
  let held = 0
  let most = 0
  const bytes = (tensor: Tensor) => bytesOf(tensor, dimensions)
  for (const leaf of order) if (leaf.application === undefined) held += bytes(leaf)
  for (const application of applications) {
    for (const output of application.outputs) if (owner(output) === output) held += bytes(output)
    most = Math.max(most, held)
    for (const read of application.inputs) {
      if (read !== undefined && count(read, -1) === 0) held -= bytes(owner(read))
    }
    for (const output of application.outputs) {
      if (owner(output) === output && (readers.get(output) ?? 0) === 0) held -= bytes(output)
    }
  }
  return Math.max(most, held)
}

/** The tensor whose memory a tensor is in. */
function owner(tensor: Tensor): Tensor {
  const { application } = tensor
  const source = application?.inputs[0]
  return application !== undefined && source !== undefined && views.has(application.operation.name)
    ? owner(source)
    : tensor
}

function bytesOf(tensor: Tensor, dimensions: ReadonlyMap<string, number>): number {
  if (tensor instanceof Parameter) return 0
  const elements = tensor.shape.reduce<number>((size, axis) => size * evaluateDimension(axis, dimensions), 1)
  return elements * arrayType(tensor.dtype).BYTES_PER_ELEMENT
}
