import type { InferenceSession } from 'onnxruntime-common'
import { createSession, Tensor as EngineTensor, executionProviders } from '#engine'
import type { RowGradient } from '../autodiff/index.js'
import { RuntimeError, ShapeError, UsageError } from '../errors.js'
import {
  type DType,
  formatShape,
  Input,
  KeepMask,
  Parameter,
  Tensor,
  type TypedArray,
  tensorNames,
} from '../graph/index.js'
import type { Device, Session } from './engine.js'
import { KeepMasks, type RandomKey } from './keep-masks.js'
import { type LoweredGraph, lowerGraph } from './lower.js'
import { type OnnxInitializer, writeOnnx } from './onnx.js'
import { bindFeeds, elementsOf, type Feed, type RowValue, type TensorValue } from './values.js'

export type { Device } from './engine.js'

/** What a program computes: tensors and gradients by any keys. */
export type Outputs = Readonly<Record<string, Tensor | RowGradient>>

/** The values of a program's outputs, under the same keys. */
export type Results<O extends Outputs> = {
  readonly [K in keyof O]: O[K] extends Tensor
    ? TensorValue
    : O[K] extends RowGradient
      ? RowValue
      : TensorValue | RowValue
}

/** How a program is compiled. */
export interface CompileOptions<O extends Outputs> {
  /** The inputs by the names that `run` takes (default: every input that the outputs need, by its own name). */
  readonly inputs?: Readonly<Record<string, Input>>
  readonly outputs: O
  /**
   * `inputs` (default): parameters are read from their arrays at every run, without a copy, as training needs it.
   * `constants`: their values are fixed, and prepared once for faster products.
   */
  readonly parameters?: 'inputs' | 'constants'
  readonly device?: Device
  /** Threads within an operator (default: the engine's choice, one per core). */
  readonly threads?: number
}

/** Options of one run. */
export interface RunOptions {
  /** Required where the graph has dropout: what its masks are drawn from. */
  readonly random?: RandomKey
  /** Arrays to receive outputs, by ONNX output; see {@link Program.target}. */
  readonly into?: ReadonlyMap<string, TypedArray>
}

/** A compiled graph: run it with arrays, get arrays. */
export class Program<O extends Outputs = Outputs> {
  readonly #session: Session
  readonly #lowered: LoweredGraph
  readonly #inputs: ReadonlyMap<string, Input>
  readonly #keepMasks: KeepMasks
  readonly #outputs: O
  /** The engine's view of each parameter's array, made anew when the array changes. */
  readonly #views = new Map<Parameter, { data: Float32Array; view: EngineTensor }>()
  readonly #names: ReadonlyMap<Tensor, string>

  constructor(session: Session, lowered: LoweredGraph, outputs: O, inputs: ReadonlyMap<string, Input>) {
    this.#session = session
    this.#lowered = lowered
    this.#outputs = outputs
    this.#names = outputNames(outputs, lowered)
    this.#inputs = inputs
    this.#keepMasks = new KeepMasks(lowered.inputs)
  }

  /** The inputs by the names that {@link run} takes. */
  get inputs(): ReadonlyMap<string, Input> {
    return this.#inputs
  }

  /** The ONNX output that holds a tensor, for {@link RunOptions.into}. */
  target(tensor: Tensor): string {
    return this.#names.get(tensor)!
  }

  /**
   * Computes the outputs.
   *
   * @param feeds one array per input: its dtype's typed array, with the shape beside it where the input's has names
   * @throws UsageError, ShapeError for feeds that do not fit; RuntimeError where the engine fails
   */
  async run(feeds: Readonly<Record<string, Feed>> = {}, options: RunOptions = {}): Promise<Results<O>> {
    const { bound, dimensions } = bindFeeds(this.#inputs, feeds)
    const masks = this.#keepMasks.draw(dimensions, options.random)
    const values: Record<string, EngineTensor> = {}
    const inputNames = new Map([...this.#inputs].map(([name, input]) => [input as Tensor, name]))
    for (const [leaf, name] of this.#lowered.inputs) {
      if (leaf instanceof Parameter) values[name] = this.#parameterView(leaf)
      else {
        const feed = leaf instanceof KeepMask ? masks.get(leaf)! : bound.get(inputNames.get(leaf)!)!
        values[name] = engineTensor(leaf.dtype, feed.data, feed.shape)
      }
    }
    try {
      return this.#collect(await this.#session.run(values, this.#fetches(options.into)))
    } catch (error) {
      throw new RuntimeError(`the engine failed to run the program: ${describe(error)}`, { cause: error })
    }
  }

  /** Frees the engine's memory of the program. */
  async dispose(): Promise<void> {
    await this.#session.release()
  }

  #parameterView(parameter: Parameter): EngineTensor {
    const data = valuesOf(parameter)
    const known = this.#views.get(parameter)
    if (known?.data === data) return known.view
    const view = engineTensor('float32', data, parameter.shape)
    this.#views.set(parameter, { data, view })
    return view
  }

  #fetches(into: RunOptions['into'] = new Map()): Record<string, EngineTensor | null> {
    const fetches: Record<string, EngineTensor | null> = {}
    for (const { name, dtype, shape } of this.#lowered.model.outputs) {
      const target = into.get(name)
      fetches[name] = target === undefined ? null : engineTensor(dtype, target, shape.map(Number))
    }
    return fetches
  }

  #collect(results: InferenceSession.OnnxValueMapType): Results<O> {
    const value = (tensor: Tensor): TensorValue => {
      const { data, dims } = results[this.#names.get(tensor)!] as EngineTensor
      return { dtype: tensor.dtype, shape: dims, data: elementsOf(tensor.dtype, data as TypedArray) }
    }
    const collected = Object.entries(this.#outputs).map(([key, output]) => {
      if (output instanceof Tensor) return [key, value(output)]
      const parts = output.parts.map(({ ids, rows }) => ({ ids: value(ids), rows: value(rows) }))
      return [key, { dense: output.dense && value(output.dense), parts }]
    })
    return Object.fromEntries(collected) as Results<O>
  }
}

/**
 * Compiles the graph that computes some tensors into a program of the engine.
 *
 * @throws RuntimeError where the engine refuses the graph, UsageError where an output needs an input that is not declared
 */
export async function compile<const O extends Outputs>(options: CompileOptions<O>): Promise<Program<O>> {
  const tensors = flatten(options.outputs)
  const external: { path: string; data: Uint8Array }[] = []
  const asConstant = (parameter: Parameter, name: string): OnnxInitializer => {
    const data = valuesOf(parameter)
    external.push({ path: name, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) })
    return {
      name,
      dtype: 'float32',
      shape: parameter.shape,
      data: { location: name, offset: 0, length: data.byteLength },
    }
  }
  const lowered = lowerGraph(tensors, {
    initializer: options.parameters === 'constants' ? asConstant : undefined,
    inputs: Object.values(options.inputs ?? {}),
  })
  const inputs = declaredInputs(lowered, options.inputs)
  const { device = 'cpu', threads } = options
  const providers = executionProviders[device]
  if (providers.length === 0) throw new UsageError(`the device '${device}' does not exist here; use cpu or webgpu`)
  try {
    const session = await createSession(writeOnnx(lowered.model), {
      executionProviders: providers,
      externalData: external,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      // Memory patterns almost double a training step's memory at the same speed.
      enableMemPattern: false,
      executionMode: 'sequential',
      logSeverityLevel: 3,
    })
    return new Program(session, lowered, options.outputs, inputs)
  } catch (error) {
    throw new RuntimeError(`the engine refused the program: ${describe(error)}`, { cause: error })
  }
}

/**
 * Computes one tensor at once: for tests, examples and the curious. Compiles a program each time.
 *
 * @returns the value of a tensor
 */
export async function evaluate(
  tensor: Tensor,
  feeds: Readonly<Record<string, Feed>> = {},
  options: RunOptions = {},
): Promise<TensorValue> {
  const program = await compile({ outputs: { value: tensor } })
  try {
    return (await program.run(feeds, options)).value
  } finally {
    await program.dispose()
  }
}

/** @throws UsageError where the parameter has no values, ShapeError where it has not as many as its shape */
function valuesOf({ name, data, shape, size }: Parameter): Float32Array {
  if (data === undefined) {
    throw new UsageError(`parameter '${name}' has no values yet: initialize the model or load a checkpoint`)
  }
  if (data.length === size) return data
  throw new ShapeError(`parameter '${name}': ${formatShape(shape)} has ${size} elements, its array ${data.length}`)
}

/** All tensors of the outputs, the parts of sparse gradients included. */
function flatten(outputs: Outputs): Tensor[] {
  return Object.values(outputs).flatMap((output) => {
    if (output instanceof Tensor) return [output]
    const parts = output.parts.flatMap(({ ids, rows }) => [ids, rows])
    return output.dense === undefined ? parts : [output.dense, ...parts]
  })
}

function outputNames(outputs: Outputs, lowered: LoweredGraph): Map<Tensor, string> {
  return new Map(flatten(outputs).map((tensor, i) => [tensor, lowered.outputs[i]]))
}

function declaredInputs(
  lowered: LoweredGraph,
  declared: Readonly<Record<string, Input>> | undefined,
): Map<string, Input> {
  const leaves = [...lowered.inputs.keys()]
  const needed = leaves.filter((leaf): leaf is Input => leaf instanceof Input && !(leaf instanceof KeepMask))
  if (declared === undefined) {
    const names = tensorNames(needed)
    return new Map(needed.map((leaf) => [names.get(leaf)!, leaf]))
  }
  const entries = Object.entries(declared).filter(([, leaf]) => lowered.inputs.has(leaf))
  const missing = needed.find((leaf) => !entries.some(([, declaredLeaf]) => declaredLeaf === leaf))
  if (missing !== undefined)
    throw new UsageError(`compile: the outputs need the input '${missing.name}', which is not in inputs`)
  return new Map(entries)
}

function engineTensor(dtype: DType, data: TypedArray, shape: readonly number[]): EngineTensor {
  return new EngineTensor(dtype, data, shape)
}

function describe(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]
}
