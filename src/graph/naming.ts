import { nearestName, UsageError } from '../errors.js'
import { reachable, type Tensor } from './tensor.js'

/**
 * Names every tensor that `roots` depend on, each name once: where several tensors share one, the second becomes
 * `name#2`, the third `name#3`, in order of creation.
 */
export function tensorNames(roots: Iterable<Tensor>): Map<Tensor, string> {
  const uses = new Map<string, number>()
  const names = new Map<Tensor, string>()
  for (const tensor of reachable(roots)) {
    const count = (uses.get(tensor.name) ?? 0) + 1
    uses.set(tensor.name, count)
    names.set(tensor, count === 1 ? tensor.name : `${tensor.name}#${count}`)
  }
  return names
}

/**
 * Finds a tensor of a graph by its name, or by an ending of it that only one tensor has
 * (`h.3.attn.weights` for `transformer.h.3.attn.weights`).
 *
 * @param roots outputs of the graph to search
 * @throws UsageError where no tensor or several have that name, with the nearest ones
 */
export function findTensor(roots: Iterable<Tensor>, name: string): Tensor {
  const names = tensorNames(roots)
  const matches: Tensor[] = []
  for (const [tensor, full] of names) {
    if (full === name) return tensor
    if (full.endsWith(`.${name}`)) matches.push(tensor)
  }
  if (matches.length === 1) return matches[0]
  if (matches.length > 1) {
    const candidates = matches.map((tensor) => names.get(tensor)).join(', ')
    throw new UsageError(`'${name}' names ${matches.length} tensors: give one of ${candidates}`)
  }
  const depth = name.split('.').length
  const endings = [...names.values()].map((full) => full.split('.').slice(-depth).join('.'))
  const nearest = nearestName(name, endings)
  throw new UsageError(`no tensor is named '${name}'${nearest === undefined ? '' : `; did you mean '${nearest}'?`}`)
}
