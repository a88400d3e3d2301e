import type { Shape } from './dimension.js'
import { type DType, isFloat } from './dtype.js'
import type { Application } from './operation.js'
import { currentScope, joinName } from './scope.js'

/** A dtype and a shape: all that is known of a tensor before anything runs. */
export interface TensorType {
  readonly dtype: DType
  readonly shape: Shape
}

let created = 0

/**
 * A symbolic tensor: a node of a graph, with a dtype and a shape whose dimensions are numbers or names.
 *
 * Nothing is computed until a program is compiled and run. Tensors are made by operations, or are leaves: an
 * {@link Input}, a {@link Constant}, a {@link Parameter}. Arithmetic methods live in `methods.ts`.
 */
export class Tensor implements TensorType {
  /** Order of creation: a tensor's inputs always have smaller numbers, so that sorting by it sorts topologically. */
  readonly id: number = created++
  readonly dtype: DType
  readonly shape: Shape
  /** How the tensor is computed; undefined for a leaf. */
  readonly application: Application | undefined
  readonly #scope: string = currentScope()
  #label: string

  constructor(type: TensorType, label: string, application?: Application) {
    this.dtype = type.dtype
    this.shape = type.shape
    this.application = application
    this.#label = label
  }

  /**
   * The readable name: the path of the module whose forward made the tensor, then the operation's name or the one given
   * with {@link named}, e.g. `transformer.h.3.attn.weights`. The same model always gives the same names.
   */
  get name(): string {
    return joinName(this.#scope, this.#label)
  }

  /** Gives the tensor a name within its module, so that people find it, and returns it. */
  named(label: string): this {
    this.#label = label
    return this
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length
  }

  /** Whether gradients can flow through the tensor. */
  get isFloat(): boolean {
    return isFloat(this.dtype)
  }
}

/** The tensors that a tensor is computed from, those of its whole application. */
export function inputsOf(tensor: Tensor): readonly Tensor[] {
  return tensor.application?.inputs.filter((input) => input !== undefined) ?? []
}

/** All tensors that `roots` depend on, themselves included, each after its inputs. */
export function reachable(roots: Iterable<Tensor>): Tensor[] {
  const seen = new Set<Tensor>()
  const pending = [...roots]
  for (let tensor = pending.pop(); tensor !== undefined; tensor = pending.pop()) {
    if (seen.has(tensor)) continue
    seen.add(tensor)
    pending.push(...inputsOf(tensor))
  }
  return [...seen].sort((a, b) => a.id - b.id)
}
