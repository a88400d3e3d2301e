import { UsageError } from '../errors.js'
import { input, type Tensor } from '../graph/index.js'
import { concat, gather, range } from '../graph/operations/index.js'
import type { CausalLanguageModel } from '../models/index.js'
import { Mask } from '../nn/index.js'
import { compile, type Device, type Feed, float32, type Program } from '../runtime/index.js'
import { addedName, CacheBuffer, type CacheSizes, GraphCache, pastName } from './cache.js'
import type { Decoder } from './types.js'

/** Capacities are multiples of this many positions: more would waste products, fewer copies. */
const block = 64

/**
 * Next-token logits of a language model with a key/value cache.
 *
 * One program with named dimensions serves prompts and single tokens. Rows may be ragged: each has its own length, and
 * a bias hides the unused end of its cache. Only the logits of each row's last position are computed.
 */
export class CausalDecoder implements Decoder {
  readonly vocabularySize: number
  readonly contextLength: number
  readonly #program: Program<Record<string, Tensor>>
  readonly #sizes: CacheSizes
  readonly #layers: number
  /** Keys and values of each layer, in turn. */
  #buffers: CacheBuffer[] = []
  #lengths: number[] = []
  /** All tokens of each row since the last start. */
  #seen: number[][] = []
  #capacity = 0

  private constructor(program: Program<Record<string, Tensor>>, model: CausalLanguageModel) {
    this.#program = program
    this.vocabularySize = model.config.vocabularySize
    this.contextLength = model.config.contextLength
    this.#layers = model.decoderSizes.layers
    this.#sizes = model.decoderSizes
  }

  /** Compiles the decoding program of a model, whose parameters must have values. */
  static async create(model: CausalLanguageModel, options: { device?: Device } = {}): Promise<CausalDecoder> {
    const program = await compile({ outputs: decodingGraph(model), ...options })
    return new CausalDecoder(program, model)
  }

  async start(prompts: readonly (readonly number[])[]): Promise<Float32Array[]> {
    this.#seen = prompts.map((prompt) => [...prompt])
    this.#lengths = prompts.map(() => 0)
    // An empty cache still has one position, which the bias hides.
    this.#setCapacity(1, () => new CacheBuffer(this.#sizes, prompts.length, 1))
    return this.#feed(prompts)
  }

  /** A row whose context is full goes on from the later half of it. */
  step(tokens: readonly number[]): Promise<Float32Array[]> {
    for (const [row, token] of tokens.entries()) this.#seen[row].push(token)
    if (!this.#lengths.includes(this.contextLength)) return this.#feed(tokens.map((token) => [token]))
    // Positions are absolute: keys and values of the half that stays have to be computed anew.
    const half = Math.floor(this.contextLength / 2)
    const kept = this.#lengths.map((length) => (length === this.contextLength ? half : length) + 1)
    return this.start(this.#seen.map((ids, row) => ids.slice(ids.length - kept[row])))
  }

  reorder(source: readonly number[]): void {
    const unchanged = source.length === this.#lengths.length && source.every((from, row) => from === row)
    if (unchanged) return
    for (const buffer of this.#buffers) buffer.rearrange(source, this.#capacity)
    this.#lengths = source.map((row) => this.#lengths[row])
    this.#seen = source.map((row) => [...this.#seen[row]])
  }

  async dispose(): Promise<void> {
    await this.#program.dispose()
  }

  async #feed(tokens: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const length = Math.max(...tokens.map((row) => row.length))
    const longest = Math.max(...tokens.map((row, i) => row.length + this.#lengths[i]))
    if (longest > this.contextLength) {
      throw new UsageError(`decoder: ${longest} tokens do not fit the model's context of ${this.contextLength}`)
    }
    const results = await this.#program.run(this.#feeds(tokens, length))
    this.#grow(longest)
    for (const [i, buffer] of this.#buffers.entries()) {
      const added = float32(results[addedName(i)])
      for (const [row, { length: count }] of tokens.entries()) {
        buffer.append(added, length, { row, position: this.#lengths[row], count })
      }
    }
    this.#lengths = this.#lengths.map((earlier, row) => earlier + tokens[row].length)
    const logits = float32(results.logits)
    return tokens.map((_, row) => logits.subarray(row * this.vocabularySize, (row + 1) * this.vocabularySize))
  }

  #feeds(tokens: readonly (readonly number[])[], length: number): Record<string, Feed> {
    const rows = tokens.length
    const ids = new BigInt64Array(rows * length)
    const positions = new BigInt64Array(rows * length)
    const last = new BigInt64Array(rows)
    const hidden = new Float32Array(rows * this.#capacity)
    for (const [row, part] of tokens.entries()) {
      for (const [i, id] of part.entries()) {
        ids[row * length + i] = BigInt(id)
        positions[row * length + i] = BigInt(this.#lengths[row] + i)
      }
      last[row] = BigInt(row * length + part.length - 1)
      hidden.fill(Mask.forbidden, row * this.#capacity + this.#lengths[row], (row + 1) * this.#capacity)
    }
    const caches = this.#buffers.map(({ data, shape }, i) => [pastName(i), { data, shape }])
    return {
      ids: { data: ids, shape: [rows, length] },
      positions: { data: positions, shape: [rows, length] },
      last: { data: last, shape: [rows] },
      hidden: { data: hidden, shape: [rows, 1, 1, this.#capacity] },
      ...Object.fromEntries(caches),
    }
  }

  /** Makes room for a number of positions, doubling so that copies stay rare. */
  #grow(positions: number): void {
    if (positions <= this.#capacity) return
    const doubled = Math.max(positions, Math.min(2 * this.#capacity, this.contextLength))
    const rows = this.#lengths.map((_, row) => row)
    this.#setCapacity(Math.ceil(doubled / block) * block, (i, capacity) => {
      this.#buffers[i].rearrange(rows, capacity)
      return this.#buffers[i]
    })
  }

  #setCapacity(capacity: number, buffer: (i: number, capacity: number) => CacheBuffer): void {
    this.#buffers = Array.from({ length: 2 * this.#layers }, (_, i) => buffer(i, capacity))
    this.#capacity = capacity
  }
}

/** The graph of one step: B rows get T new tokens each, behind up to P cached ones. */
function decodingGraph(model: CausalLanguageModel): Record<string, Tensor> {
  const ids = input('ids', 'int64', ['batch', 'sequence'])
  const positions = input('positions', 'int64', ['batch', 'sequence'])
  const last = input('last', 'int64', ['batch'])
  const hiddenPast = input('hidden', 'float32', ['batch', 1, 1, 'past'])
  const { layers } = model.decoderSizes
  const caches = Array.from({ length: layers }, (_, layer) => new GraphCache(layer, model.decoderSizes))
  const causal = Mask.causal('sequence').bias.expand(['batch', 1, 'sequence', 'sequence'])
  const mask = new Mask(concat(hiddenPast.expand(['batch', 1, 'sequence', 'past']), causal, { axis: -1 }))
  // A row's cache holds its positions in order, from 0.
  const past = range({ limit: 'past' }).expand(['batch', 'past'])
  const keys = concat(past, positions, { axis: -1 })
  const hidden = model.decode(ids, { positions, keys, mask, caches }) // [B, T, C]
  const final = gather(hidden.reshape([-1, model.config.width]), last) // [B, C]
  const outputs: Record<string, Tensor> = { logits: model.logits(final) }
  for (const [layer, { added }] of caches.entries()) {
    outputs[addedName(2 * layer)] = added![0]
    outputs[addedName(2 * layer + 1)] = added![1]
  }
  return outputs
}
