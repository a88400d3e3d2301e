import { inScope, joinName, Parameter, Tensor } from '../graph/index.js'

/**
 * A part of a model: parameters and further modules as fields, and a `forward` that builds the graph.
 *
 * Field names are the published checkpoint's, so that a parameter's path is its name there: the field `c_attn` of the
 * field `attn` of `h[0]` gives `h.0.attn.c_attn.weight`. Tensors made in `forward` are named after the module.
 */
export abstract class Module {
  #path = ''

  constructor() {
    const forward = this.forward
    // Every call, also from outside, names its tensors within this module's path.
    this.forward = (...args) => inScope(this.#path, () => forward.apply(this, args))
  }

  /** Builds the graph of the module's output. */
  abstract forward(...args: never[]): unknown

  /** Where the module is in its model, e.g. `transformer.h.0.attn`. */
  get path(): string {
    return this.#path
  }

  /**
   * All parameters by their paths, in the order of the fields. A parameter that stands in two places (a tied head) is
   * listed once, under the first.
   */
  parameters(): Record<string, Parameter> {
    const found: Record<string, Parameter> = {}
    const seen = new Set<object>()
    visit(this, '', seen, (path, part) => {
      if (part instanceof Parameter) found[path] = part
    })
    return found
  }

  /** Sets the paths of all parts; a model calls it once it is built. */
  protected nameParts(): void {
    visit(this, '', new Set(), (path, part) => {
      if (part instanceof Parameter) part.path = path
      else part.#path = path
    })
  }
}

function visit(
  part: object,
  path: string,
  seen: Set<object>,
  found: (path: string, part: Module | Parameter) => void,
): void {
  if (seen.has(part)) return
  seen.add(part)
  if (part instanceof Module || part instanceof Parameter) found(path, part)
  if (part instanceof Tensor || ArrayBuffer.isView(part)) return
  for (const [key, child] of Object.entries(part)) {
    if (typeof child === 'object' && child !== null) visit(child, joinName(path, key), seen, found)
  }
}
