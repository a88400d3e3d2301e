import { DataError, UsageError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { encoderFeeds, type SequenceToSequenceModel, type TokenSequence } from '../models/index.js'
import { Mask } from '../nn/index.js'
import {
  type CompileOptions,
  compile,
  type Feed,
  float32,
  type Outputs,
  type Program,
  type TensorValue,
} from '../runtime/index.js'
import { addedName, CacheBuffer, keepRows, pastName, type RowMove } from './cache.js'
import { type DecoderGraph, decodingGraph, encodingGraph } from './sequence-to-sequence-graphs.js'
import { TargetTree, type TreeGrowth } from './target-tree.js'
import type { Decoder, TokenCandidates } from './types.js'

/** How programs are compiled. */
export type DecoderOptions = Pick<CompileOptions<Outputs>, 'device' | 'parameters' | 'threads'>

/** What the decoder attends to of the sources: the outputs of the encoding program, which the decoding one takes. */
type SourceMemory = ReadonlyMap<string, TensorValue>

type Tensors = Record<string, Tensor>

/** Capacities of caches are multiples of this many slots. */
const block = 16

/** A full cache gets room for this many more steps. */
const stepsAhead = 8

/**
 * Next-token logits of an encoder–decoder with a key/value cache.
 *
 * {@link read} takes the sources and runs the encoder; row i of a start belongs to source i, and rows that are reordered
 * keep their source. Three programs with named dimensions serve all sizes: the encoder with cross-attention's keys and
 * values, the decoder up to all logits, and the decoder up to its best tokens; each is compiled when it is first needed.
 * Rows of a source share one cache ({@link TargetTree}), so that to reorder them copies nothing.
 */
export class SequenceToSequenceDecoder implements Decoder {
  readonly vocabularySize: number
  readonly contextLength: number
  /** The token that every target begins with. */
  readonly startTokenId: number
  readonly #model: SequenceToSequenceModel
  readonly #options: DecoderOptions
  readonly #programs = new Map<string, Promise<Program<Tensors>>>()
  #sources: readonly TokenSequence[] = []
  /** Of the sources that still have rows. */
  #memory: SourceMemory = new Map()
  #isComplete = true
  #tree = new TargetTree(0)
  /** Keys and values of each layer, in turn. */
  #caches: CacheBuffer[] = []
  #capacity = 0

  /**
   * @param model its parameters must have values when sources are read
   * @param options `parameters: 'constants'` is faster, but fixes the values of the first use
   */
  constructor(model: SequenceToSequenceModel, options: DecoderOptions = {}) {
    const { vocabularySize, contextLength, decoderStartTokenId } = model.config
    this.vocabularySize = vocabularySize
    this.contextLength = contextLength
    this.startTokenId = decoderStartTokenId
    this.#model = model
    this.#options = options
  }

  /**
   * Encodes the sources of the rows to come.
   *
   * @throws DataError where there is no source, one is empty, or one is longer than the context
   */
  async read(sources: readonly TokenSequence[]): Promise<void> {
    const tooLong = sources.findIndex(({ ids }) => ids.length > this.contextLength)
    if (tooLong >= 0) {
      throw new DataError(
        `decoder: source ${tooLong} has ${sources[tooLong].ids.length} tokens, more than the model's context of ${this.contextLength}; shorten it`,
      )
    }
    const feeds = encoderFeeds(sources)
    const program = await this.#program('encode', () => encodingGraph(this.#model))
    this.#memory = new Map(Object.entries(await program.run(feeds)))
    this.#sources = sources
    this.#isComplete = true
  }

  async start(prompts: readonly (readonly number[])[]): Promise<Float32Array[]> {
    await this.#begin(prompts)
    return this.#logits(prompts)
  }

  step(tokens: readonly number[]): Promise<Float32Array[]> {
    return this.#logits(tokens.map((token) => [token]))
  }

  async startCandidates(prompts: readonly (readonly number[])[], count: number): Promise<TokenCandidates> {
    await this.#begin(prompts)
    return this.#candidates(prompts, count)
  }

  stepCandidates(tokens: readonly number[], count: number): Promise<TokenCandidates> {
    return this.#candidates(
      tokens.map((token) => [token]),
      count,
    )
  }

  reorder(source: readonly number[]): void {
    const before = this.#tree.sources
    const moves = this.#tree.reorder(source)
    const { sources } = this.#tree
    if (sources === before) return
    for (const cache of this.#caches) cache.keepRows(moves, sources)
    this.#keepSources(moves, sources)
  }

  async dispose(): Promise<void> {
    const programs = [...this.#programs.values()]
    this.#programs.clear()
    for (const program of programs) await (await program).dispose()
  }

  /** @throws UsageError where the prompts do not fit the sources */
  async #begin(prompts: readonly (readonly number[])[]): Promise<void> {
    if (prompts.length !== this.#sources.length) {
      throw new UsageError(
        `decoder: expected a prompt for each of the ${this.#sources.length} sources, got ${prompts.length}; read the sources first`,
      )
    }
    const other = prompts.find(({ length }) => length !== prompts[0].length)
    if (other !== undefined) {
      throw new UsageError(
        `decoder: expected prompts of one length, got ${prompts[0].length} and ${other.length} tokens; start them apart`,
      )
    }
    if (!this.#isComplete) await this.read(this.#sources)
    this.#tree = new TargetTree(prompts.length)
    // An empty cache still has one slot, which the bias hides.
    this.#capacity = 1
    const { layers } = this.#model.decoderSizes
    this.#caches = Array.from(
      { length: 2 * layers },
      () => new CacheBuffer(this.#model.decoderSizes, prompts.length, this.#capacity),
    )
  }

  async #logits(tokens: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const program = await this.#program('logits', () => decodingGraph(this.#model, 'logits'))
    const logits = float32((await this.#feed(program, tokens)).logits)
    return tokens.map((_, row) => logits.subarray(row * this.vocabularySize, (row + 1) * this.vocabularySize))
  }

  async #candidates(tokens: readonly (readonly number[])[], count: number): Promise<TokenCandidates> {
    const program = await this.#program('candidates', () => decodingGraph(this.#model, 'candidates'))
    const candidates = { data: new BigInt64Array(count), shape: [count] }
    const { ids, logProbabilities } = await this.#feed(program, tokens, { candidates })
    const small = new Int32Array(ids.data.length)
    for (let i = 0; i < small.length; i++) small[i] = Number(ids.data[i])
    return { count, ids: small, logProbabilities: float32(logProbabilities) }
  }

  /** Runs a decoding program on the next tokens of all rows, equally many of each, and keeps their keys and values. */
  async #feed(
    program: Program<Tensors>,
    tokens: readonly (readonly number[])[],
    more: Readonly<Record<string, Feed>> = {},
  ): Promise<Readonly<Record<string, TensorValue>>> {
    const tree = this.#tree
    if (tokens.length !== tree.targets) {
      throw new UsageError(`decoder: expected a token for each of the ${tree.targets} rows, got ${tokens.length}`)
    }
    const length = tree.length + tokens[0].length
    if (length > this.contextLength) {
      throw new UsageError(`decoder: ${length} tokens do not fit the model's context of ${this.contextLength}`)
    }
    const growth = tree.plan(tokens[0].length)
    const feeds = { ...this.#feeds(tokens, growth), ...more }
    const needed = Object.entries(feeds).filter(([name]) => program.inputs.has(name))
    const results = await program.run(Object.fromEntries(needed))
    this.#makeRoom(growth)
    const position = tree.slots
    for (const [i, cache] of this.#caches.entries()) {
      const added = float32(results[addedName(i)])
      for (let row = 0; row < tree.sources; row++) {
        cache.append(added, growth.places, { row, position, count: growth.places })
      }
    }
    tree.grow(growth)
    return results
  }

  #feeds(tokens: readonly (readonly number[])[], growth: TreeGrowth): Record<string, Feed> {
    const tree = this.#tree
    const { sources } = tree
    const { places, starts } = growth
    const ids = new BigInt64Array(sources * places)
    const last = new BigInt64Array(tokens.length)
    for (const [target, row] of tokens.entries()) {
      const first = tree.sourceOf(target) * places + starts[target]
      for (const [i, id] of row.entries()) ids[first + i] = BigInt(id)
      last[target] = BigInt(first + row.length - 1)
    }
    const width = this.#capacity + places
    const caches = this.#caches.map(({ data, shape }, i) => [pastName(i), { data, shape }])
    return {
      ids: { data: ids, shape: [sources, places] },
      last: { data: last, shape: [tokens.length] },
      queries: vector(tree.positionsOf(growth)),
      keys: vector(tree.keyPositions(growth, this.#capacity)),
      bias: { data: tree.bias(growth, this.#capacity, Mask.forbidden), shape: [sources, 1, places, width] },
      ...Object.fromEntries(this.#memory),
      ...Object.fromEntries(caches),
    }
  }

  /** Makes room for new tokens, first where tokens of given-up targets are. */
  #makeRoom({ places }: TreeGrowth): void {
    if (this.#tree.slots + places <= this.#capacity) return
    const former = this.#tree.compact()
    if (this.#tree.slots + (places * stepsAhead) / 2 > this.#capacity) {
      this.#capacity = Math.ceil((this.#tree.slots + places * stepsAhead) / block) * block
    }
    for (const cache of this.#caches) cache.keepPositions(former, this.#capacity)
  }

  #keepSources(moves: readonly RowMove[], count: number): void {
    const kept = [...this.#memory].map(([name, { dtype, shape, data }]): [string, TensorValue] => {
      const size = shape.slice(1).reduce((a, b) => a * b, 1)
      return [name, { dtype, shape: [count, ...shape.slice(1)], data: keepRows(data, size, moves, count) }]
    })
    this.#memory = new Map(kept)
    this.#isComplete = false
  }

  #program(name: string, graph: () => DecoderGraph): Promise<Program<Tensors>> {
    const known = this.#programs.get(name)
    if (known !== undefined) return known
    const program = compile<Tensors>({ ...graph(), ...this.#options })
    this.#programs.set(name, program)
    program.catch(() => this.#programs.delete(name))
    return program
  }
}

function vector(values: readonly number[]): Feed {
  return { data: BigInt64Array.from(values, BigInt), shape: [values.length] }
}
