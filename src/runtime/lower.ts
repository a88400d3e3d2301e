import { RuntimeError } from '../errors.js'
import {
  type Application,
  Constant,
  type Dimension,
  type DType,
  Input,
  isStatic,
  type Lowering,
  type OnnxAttributes,
  type OnnxDomain,
  Parameter,
  reachable,
  type Shape,
  type Tensor,
  type TypedArray,
  tensorNames,
  terms,
  type Value,
} from '../graph/index.js'
import type { OnnxInitializer, OnnxModel, OnnxNode } from './onnx.js'

/** An ONNX model and which of its values are whose. */
export interface LoweredGraph {
  readonly model: OnnxModel
  /** The leaves that are the model's inputs, with their names there. */
  readonly inputs: ReadonlyMap<Tensor, string>
  /** The ONNX outputs, in the order of the tensors asked for. */
  readonly outputs: readonly string[]
}

/** Options of {@link lowerGraph}. */
export interface LowerOptions {
  /** The initializer that a parameter becomes, or undefined where it is an input (default: every one). */
  readonly initializer?: (parameter: Parameter, name: string) => OnnxInitializer | undefined
  /** Inputs that sizes may be read from, also where no output depends on their values. */
  readonly inputs?: readonly Input[]
}

/**
 * Writes the graph that computes `outputs` as an ONNX model.
 *
 * Equal nodes are written once; tensors that no output depends on are not written at all.
 */
export function lowerGraph(outputs: readonly Tensor[], options: LowerOptions = {}): LoweredGraph {
  const names = tensorNames(outputs)
  const writer = new GraphWriter(names, options.inputs ?? [])
  const lowered = new Set<Application>()
  for (const tensor of reachable(outputs)) {
    if (tensor instanceof Input) writer.input(tensor)
    else if (tensor instanceof Parameter) {
      const initializer = options.initializer?.(tensor, names.get(tensor)!)
      if (initializer === undefined) writer.input(tensor)
      else writer.initializer(tensor, initializer)
    } else if (tensor instanceof Constant) writer.constantLeaf(tensor)
    else if (tensor.application !== undefined && !lowered.has(tensor.application)) {
      lowered.add(tensor.application)
      writer.apply(tensor.application, names.get(tensor)!)
    }
  }
  return writer.finish(outputs)
}

class GraphWriter implements Lowering {
  readonly #names: ReadonlyMap<Tensor, string>
  readonly #declared: readonly Input[]
  readonly #values = new Map<Tensor, Value>()
  readonly #inputs = new Map<Tensor, string>()
  readonly #nodes: OnnxNode[] = []
  readonly #initializers: OnnxInitializer[] = []
  /** Nodes and constants by content, to write equal ones once. */
  readonly #written = new Map<string, Value[]>()
  readonly #taken = new Set<string>()
  #current = ''

  constructor(names: ReadonlyMap<Tensor, string>, declared: readonly Input[]) {
    this.#names = names
    this.#declared = declared
  }

  input(tensor: Tensor): void {
    const name = this.#unique(this.#names.get(tensor) ?? tensor.name)
    this.#inputs.set(tensor, name)
    this.#values.set(tensor, name)
  }

  initializer(tensor: Tensor, initializer: OnnxInitializer): void {
    this.#initializers.push(initializer)
    this.#taken.add(initializer.name)
    this.#values.set(tensor, initializer.name)
  }

  constantLeaf(tensor: Constant): void {
    if (!isStatic(tensor.shape)) throw new RuntimeError(`constant '${tensor.name}' has no static shape`)
    this.#values.set(tensor, this.constant(tensor.data, tensor.shape, tensor.dtype))
  }

  apply(application: Application, name: string): void {
    this.#current = name
    const inputs = application.inputs.map((input) => (input === undefined ? '' : this.#values.get(input)!))
    const values = application.operation.lower(this, inputs, application)
    for (const [i, output] of application.outputs.entries()) this.#values.set(output, values[i])
  }

  finish(outputs: readonly Tensor[]): LoweredGraph {
    const declared = new Map<string, Tensor>()
    const names = outputs.map((tensor) => {
      const value = this.#values.get(tensor)!
      // ONNX wants an output to be computed by a node, not to be an input or a constant itself. A Range that feeds a
      // Gather must not be an output either: the engine's optimizer turns the Gather into a Slice, removes the Range and
      // crashes at the run (1.30).
      const computed = tensor.application !== undefined && tensor.application.operation.name !== 'Range'
      this.#current = `${this.#names.get(tensor)}.output`
      const name = computed ? value : this.node('Identity', [value])
      declared.set(name, tensor)
      return name
    })
    const describe = (name: string, { dtype, shape }: Tensor) => ({ name, dtype, shape })
    const model: OnnxModel = {
      nodes: this.#nodes,
      initializers: this.#initializers,
      inputs: [...this.#inputs].map(([tensor, name]) => describe(name, tensor)),
      outputs: [...declared].map(([name, tensor]) => describe(name, tensor)),
    }
    return { model, inputs: this.#inputs, outputs: names }
  }

  node(operator: string, inputs: readonly Value[], attributes: OnnxAttributes = {}, domain: OnnxDomain = ''): Value {
    return this.nodes(1, operator, inputs, attributes, domain)[0]
  }

  nodes(
    count: number,
    operator: string,
    inputs: readonly Value[],
    attributes: OnnxAttributes = {},
    domain: OnnxDomain = '',
  ): Value[] {
    // Absent optional inputs at the end are left out rather than written as empty names.
    const given = inputs.slice(0, inputs.findLastIndex((value) => value !== '') + 1)
    const key = JSON.stringify([operator, domain, given, attributes, count])
    const known = this.#written.get(key)
    if (known !== undefined) return known
    const outputs = Array.from({ length: count }, () => this.#unique(this.#current))
    this.#written.set(key, outputs)
    this.#nodes.push({ operator, domain, name: outputs[0], inputs: given, outputs, attributes })
    return outputs
  }

  constant(data: TypedArray, shape: readonly number[], dtype: DType): Value {
    const key =
      data.length <= 64 ? `${dtype}[${shape}]${[...data].map((x) => (Object.is(x, -0) ? '-0' : x))}` : undefined
    const known = key === undefined ? undefined : this.#written.get(key)
    if (known !== undefined) return known[0]
    const name = this.#unique('constant')
    this.#initializers.push({ name, dtype, shape, data })
    if (key !== undefined) this.#written.set(key, [name])
    return name
  }

  shape(shape: Shape): Value {
    if (isStatic(shape)) return this.constant(BigInt64Array.from(shape, BigInt), [shape.length], 'int64')
    const parts = shape.map((dimension) => this.#dimensionVector(dimension))
    return parts.length === 1 ? parts[0] : this.node('Concat', parts, { axis: 0 })
  }

  dimension(dimension: Dimension): Value {
    if (typeof dimension === 'number') return this.#int64(dimension, [])
    return this.node('Squeeze', [this.#dimensionVector(dimension), this.#int64(0, [1])])
  }

  /** A dimension as int64 [1]. */
  #dimensionVector(dimension: Dimension): Value {
    if (typeof dimension === 'number') return this.#int64(dimension, [1])
    const sum = terms(dimension).map(({ coefficient, names }) => {
      const factors = names.map((name) => this.#named(name))
      if (coefficient !== 1 || factors.length === 0) factors.push(this.#int64(coefficient, [1]))
      return factors.reduce((a, b) => this.node('Mul', [a, b]))
    })
    return sum.reduce((a, b) => this.node('Add', [a, b]))
  }

  /** Reads a named dimension off an input that has it. */
  #named(name: string): Value {
    const source = [...this.#inputs.keys(), ...this.#declared].find(({ shape }) => shape.includes(name))
    if (source === undefined) {
      throw new RuntimeError(
        `the size '${name}' at '${this.#current}' is not the size of any input of the graph: declare one that has it`,
      )
    }
    if (!this.#inputs.has(source)) this.input(source)
    const axis = source.shape.indexOf(name)
    return this.node('Shape', [this.#values.get(source)!], { start: axis, end: axis + 1 })
  }

  #int64(value: number, shape: readonly number[]): Value {
    return this.constant(BigInt64Array.of(BigInt(value)), shape, 'int64')
  }

  #unique(name: string): string {
    let unique = name
    for (let i = 2; this.#taken.has(unique); i++) unique = `${name}/${i}`
    this.#taken.add(unique)
    return unique
  }
}
