import type { Parameter } from '../graph/index.js'
import { loadModel } from '../hub/checkpoint.js'

/** A module with its parts, or a parameter with its shape. */
export interface ModelPart {
  readonly name: string
  /** Of a parameter. */
  readonly shape?: readonly number[]
  /** Values in this part and all below it. */
  readonly parameters: number
  readonly parts: readonly ModelPart[]
}

/** What a checkpoint holds. */
export interface ModelDescription {
  readonly type: string
  readonly directory: string
  readonly parameters: number
  readonly config: unknown
  readonly tree: readonly ModelPart[]
  /** Bytes: the weights; the weights with gradients and two moments. Activations come on top of both. */
  readonly memory: { readonly run: number; readonly train: number }
  /** Tensors of the file that the architecture has no place for. */
  readonly unused: readonly string[]
}

/** Reads a checkpoint and describes it. @throws CheckpointError where it is missing, damaged or unknown */
export function describeModel(path: string): ModelDescription {
  const { model, directory, unused } = loadModel(path)
  const tree = partsOf(Object.entries(model.parameters()).map(([name, parameter]) => [name.split('.'), parameter]))
  const parameters = tree.reduce((sum, part) => sum + part.parameters, 0)
  const config = 'config' in model ? model.config : undefined
  const memory = { run: parameters * 4, train: parameters * 16 }
  return { type: model.constructor.name, directory, parameters, config, tree, memory, unused }
}

/** A parameter and what is left of its path below the part that is being described. */
type Entry = readonly [path: readonly string[], parameter: Parameter]

function partsOf(entries: readonly Entry[]): ModelPart[] {
  const groups = new Map<string, Entry[]>()
  for (const [[name, ...rest], parameter] of entries) groups.set(name, [...(groups.get(name) ?? []), [rest, parameter]])
  return [...groups].map(([name, members]) => {
    const [[path, { shape, size }]] = members
    if (path.length === 0) return { name, shape, parameters: size, parts: [] }
    const parts = partsOf(members)
    return { name, parameters: parts.reduce((sum, part) => sum + part.parameters, 0), parts }
  })
}
