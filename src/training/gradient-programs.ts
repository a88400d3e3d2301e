import { gradients, type RowGradient } from '../autodiff/index.js'
import { RuntimeError } from '../errors.js'
import { type Input, input, type Parameter, type Shape, Tensor } from '../graph/index.js'
import { forTraining } from '../nn/index.js'
import {
  compile,
  type Device,
  type Feed,
  float32,
  type ParameterMemory,
  type ParameterSlot,
  type Program,
  ProgramCache,
  type RandomKey,
  type RowValue,
  type TensorValue,
} from '../runtime/index.js'
import type { Batch, Objective } from './objectives/objective.js'

/** How gradients are computed. */
export interface GradientOptions {
  /** Batches whose gradients are averaged for one update. */
  readonly accumulate: number
  readonly device?: Device
}

/** A compiled loss with its gradients. */
interface GradientProgram {
  readonly program: Program<Record<string, Tensor | RowGradient>>
  /** Where the engine writes dense gradients: straight into the parameter memory. */
  readonly into: ReadonlyMap<string, Float32Array>
  /** Gradients that share their array in the graph with another one's. */
  readonly copies: readonly { readonly from: Float32Array; readonly to: Float32Array }[]
  readonly sparse: readonly string[]
  /** Parameters that the graph writes no dense gradient of: rows are added to zeros. */
  readonly rowsOnly: readonly ParameterSlot[]
}

/**
 * Computes losses with their gradients, and leaves the gradients in the parameter memory.
 *
 * One program per batch shape. With accumulation the earlier gradient is an input that the new one is added to.
 */
export class GradientPrograms {
  readonly #objective: Objective
  readonly #parameters: Readonly<Record<string, Parameter>>
  readonly #memory: ParameterMemory
  readonly #options: GradientOptions
  readonly #programs = new ProgramCache<Record<string, Tensor | RowGradient>>()
  readonly #compiled = new WeakMap<object, GradientProgram>()

  constructor(
    objective: Objective,
    parameters: Readonly<Record<string, Parameter>>,
    memory: ParameterMemory,
    options: GradientOptions,
  ) {
    this.#objective = objective
    this.#parameters = parameters
    this.#memory = memory
    this.#options = options
  }

  /**
   * Fills the memory's gradients with those of the mean loss over some batches' predictions together.
   *
   * @param batches as many as are accumulated
   * @param random what dropout masks are drawn from; `step` counts batches
   * @returns the mean loss
   */
  async run(batches: readonly Batch[], random: RandomKey): Promise<number> {
    if (batches.length > 1) for (const { gradient, segment } of this.#memory) segment.kernels.fill(gradient, 0)
    const predictions = batches.reduce((sum, batch) => sum + batch.predictions, 0)
    let mean = 0
    for (const [i, batch] of batches.entries()) {
      const share = batch.predictions / predictions
      mean += share * (await this.#runBatch(batch, share, { ...random, step: random.step * batches.length + i }))
    }
    return mean
  }

  /** Frees the programs. */
  dispose(): void {
    this.#programs.dispose()
  }

  async #runBatch(batch: Batch, share: number, random: RandomKey): Promise<number> {
    const { program, into, copies, sparse, rowsOnly } = await this.#programFor(batch.shape)
    for (const slot of rowsOnly) clear(slot)
    const results = await program.run({ ...batch.feeds, ...this.#accumulation(share) }, { random, into })
    for (const { from, to } of copies) to.set(from)
    for (const name of sparse) addRows(this.#memory.get(name), results[name])
    const loss = results.loss
    return 'parts' in loss ? Number.NaN : float32(loss)[0]
  }

  /** What a program that accumulates reads beside its batch: the batch's share of the loss, and the gradients so far. */
  #accumulation(share: number): Record<string, Feed> {
    if (this.#options.accumulate === 1) return {}
    const earlier = [...this.#memory].map(({ name, gradient }) => [earlierName(name), gradient])
    return { [shareName]: Float32Array.of(share), ...Object.fromEntries(earlier) }
  }

  async #programFor(shape: Shape): Promise<GradientProgram> {
    let outputs: Record<string, Tensor | RowGradient> | undefined
    const program = await this.#programs.get(shape.join('×'), () => {
      const graph = this.#graph(shape)
      outputs = graph.outputs
      return compile({ ...graph, device: this.#options.device })
    })
    const known = this.#compiled.get(program)
    if (known !== undefined) return known
    if (outputs === undefined) throw new RuntimeError(`training: the program for the shape [${shape}] was lost`)
    const compiled = this.#receive(program, outputs)
    this.#compiled.set(program, compiled)
    return compiled
  }

  #graph(shape: Shape) {
    const { accumulate } = this.#options
    const { inputs, loss } = forTraining(() => this.#objective.loss(shape))
    if (accumulate === 1) return { inputs, outputs: { loss, ...gradients(loss, this.#parameters) } }
    const share = input(shareName, 'float32', [])
    const found = gradients(loss.mul(share), this.#parameters)
    const earlier: Record<string, Input> = {}
    const sums: Record<string, Tensor | RowGradient> = {}
    for (const [name, gradient] of Object.entries(found)) {
      const before = input(earlierName(name), 'float32', this.#parameters[name].shape)
      earlier[earlierName(name)] = before
      sums[name] = gradient instanceof Tensor ? gradient.add(before) : gradient.plus(before)
    }
    return { inputs: { ...inputs, ...earlier, [shareName]: share }, outputs: { loss, ...sums } }
  }

  #receive(program: GradientProgram['program'], outputs: Record<string, Tensor | RowGradient>): GradientProgram {
    const into = new Map<string, Float32Array>()
    const copies: { from: Float32Array; to: Float32Array }[] = []
    const sparse: string[] = []
    const rowsOnly: ParameterSlot[] = []
    for (const slot of this.#memory) {
      const { name, gradient } = slot
      const output = outputs[name]
      const dense = output instanceof Tensor ? output : output.dense
      if (!(output instanceof Tensor)) sparse.push(name)
      if (dense === undefined) {
        rowsOnly.push(slot)
        continue
      }
      const target = program.target(dense)
      const taken = into.get(target)
      if (taken === undefined) into.set(target, gradient)
      else copies.push({ from: taken, to: gradient })
    }
    return { program, into, copies, sparse, rowsOnly }
  }
}

const shareName = 'accumulation.share'

function earlierName(parameter: string): string {
  return `earlier.${parameter}`
}

/** Sets a gradient that has only rows to zero. */
function clear(slot: ParameterSlot): void {
  if (slot.rows === undefined) slot.gradient.fill(0)
  else slot.rows.clear(slot)
}

/** Adds the rows of a sparse gradient to a dense one, [count, width] flat. */
function addRows({ gradient: into, rows: table }: ParameterSlot, value: TensorValue | RowValue): void {
  if (!('parts' in value)) return
  for (const { ids, rows } of value.parts) {
    const data = float32(rows)
    const indices = ids.data
    const width = data.length / indices.length
    for (let i = 0; i < indices.length; i++) {
      const row = Number(indices[i])
      table?.add(row)
      const start = row * width
      for (let j = 0, from = i * width; j < width; j++, from++) into[start + j] += data[from]
    }
  }
}
