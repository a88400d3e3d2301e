import { ShapeError } from '../errors.js'
import {
  type Application,
  formatShape,
  type InputGradient,
  inScope,
  joinName,
  Rows,
  reachable,
  sameShape,
  type Tensor,
} from '../graph/index.js'
import { type Gradient, RowGradient, toDense } from './gradient.js'

/** The tensors to differentiate by: a list, or a record such as a model's parameters. */
export type Variables = readonly Tensor[] | Readonly<Record<string, Tensor>>

/** One gradient per variable, in the same list or under the same keys. */
export type GradientsOf<V extends Variables> = { readonly [K in keyof V]: Gradient }

/** Options of {@link gradients}. */
export interface GradientOptions {
  /** ∂L/∂of, of `of`'s shape, where `of` is not the loss itself (default: ones, so that elements are summed). */
  readonly outputGradient?: Tensor
}

/**
 * ∂of/∂x for each x, by reverse accumulation (Griewank & Walther 2008, §3.2), as tensors of the same graph.
 *
 * Any tensors will do, not only parameters: inputs, attention weights, the output of a layer. A tensor that `of` does
 * not depend on has a gradient of zeros. Embedding tables get a {@link RowGradient}.
 *
 * @param of a float tensor, usually a loss of rank 0
 * @param withRespectTo float tensors
 * @throws ShapeError where a tensor is not float, or the path to it crosses an operation without a gradient
 */
export function gradients<const V extends Variables>(
  of: Tensor,
  withRespectTo: V,
  options: GradientOptions = {},
): GradientsOf<V> {
  const variables: readonly Tensor[] = Object.values(withRespectTo)
  for (const { name, dtype, isFloat } of [of, ...variables]) {
    if (isFloat) continue
    throw new ShapeError(`gradients: '${name}' is ${dtype}; only float tensors have gradients`)
  }
  const seed = options.outputGradient ?? of.constantLike(1).expand(of.shape)
  if (!sameShape(seed.shape, of.shape)) {
    throw new ShapeError(
      `gradients: the output gradient is ${formatShape(seed.shape)}, '${of.name}' ${formatShape(of.shape)}`,
    )
  }
  const sums = backpropagate(of, seed, new Set(variables))
  const finished = (tensor: Tensor): Gradient =>
    sums.get(tensor)?.total() ?? tensor.constantLike(0).expand(tensor.shape)
  if (Array.isArray(withRespectTo)) return withRespectTo.map(finished) as GradientsOf<V>
  return Object.fromEntries(
    Object.entries(withRespectTo).map(([key, tensor]) => [key, finished(tensor)]),
  ) as GradientsOf<V>
}

function backpropagate(of: Tensor, seed: Tensor, variables: ReadonlySet<Tensor>): Map<Tensor, GradientSum> {
  const graph = reachable([of])
  const active = dependents(graph, variables)
  const sums = new Map<Tensor, GradientSum>([[of, new GradientSum(of, seed)]])
  const finished = new Set<Application>()
  // From the last tensor made to the first: every consumer of a tensor is done before the tensor itself.
  for (const tensor of graph.reverse()) {
    const { application } = tensor
    if (application === undefined || finished.has(application) || !sums.has(tensor)) continue
    if (!application.inputs.some((input) => input !== undefined && active.has(input))) continue
    finished.add(application)
    const outputGradients = application.outputs.map((output) => sums.get(output)?.dense())
    for (const [i, gradient] of applyRule(application, outputGradients).entries()) {
      const input = application.inputs[i]
      if (input === undefined || gradient === null || !active.has(input)) continue
      const sum = sums.get(input)
      if (sum === undefined) sums.set(input, new GradientSum(input, gradient))
      else sum.add(gradient)
    }
  }
  return sums
}

/** The tensors of a graph (in topological order) that depend on any of the variables. */
function dependents(graph: readonly Tensor[], variables: ReadonlySet<Tensor>): Set<Tensor> {
  const active = new Set<Tensor>()
  for (const tensor of graph) {
    const depends = tensor.application?.inputs.some((input) => input !== undefined && active.has(input))
    if (tensor.isFloat && (variables.has(tensor) || depends)) active.add(tensor)
  }
  return active
}

function applyRule(application: Application, outputGradients: (Tensor | undefined)[]): readonly InputGradient[] {
  const place = joinName(application.outputs[0].name, 'gradient')
  const result = inScope(place, () => application.operation.gradient(application, outputGradients))
  if (typeof result !== 'string') return result
  throw new ShapeError(
    `gradients: ${application.operation.name} at '${application.outputs[0].name}' has no gradient: ${result}`,
  )
}

/** What has flowed back to one tensor so far. */
class GradientSum {
  readonly #tensor: Tensor
  readonly #rows: Rows[] = []
  #dense: Tensor | undefined

  constructor(tensor: Tensor, first: Exclude<InputGradient, null>) {
    this.#tensor = tensor
    this.add(first)
  }

  add(gradient: Exclude<InputGradient, null>): void {
    if (gradient instanceof Rows) this.#rows.push(gradient)
    else this.#dense = this.#dense === undefined ? gradient : this.#dense.add(gradient)
  }

  total(): Gradient {
    return this.#rows.length === 0 ? this.#dense! : new RowGradient(this.#tensor, this.#dense, this.#rows)
  }

  dense(): Tensor {
    return toDense(this.total())
  }
}
