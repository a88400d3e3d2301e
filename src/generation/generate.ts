import { DataError, UsageError } from '../errors.js'
import { RandomStream } from '../runtime/random.js'
import { searchBeams } from './beam-search.js'
import { type LogitProcessor, logitBias, noRepeatNgram, repetitionPenalty } from './processors.js'
import { greedy, type TokenStrategy } from './strategies.js'
import { TextStream } from './text-stream.js'
import type { Decoder, FinishReason, GenerationEvent, GenerationOptions, GenerationResult } from './types.js'

/**
 * Continues one prompt and yields its tokens as they come, then how it ended. Beam search decides at the end: it yields
 * no tokens, only the returned sequences, the best first.
 *
 * @param prompt token ids, at least one, at most as many as the decoder's context holds
 * @throws DataError for an empty or too long prompt; UsageError for an option out of range
 */
export function generate(
  decoder: Decoder,
  prompt: readonly number[],
  options: GenerationOptions = {},
): AsyncGenerator<GenerationEvent, void> {
  return streamBatch(decoder, [prompt], options)
}

/**
 * Continues several prompts of any lengths and returns their sequences in the prompts' order.
 *
 * Rows are independent: each stops by itself and then leaves the batch, and a row's samples depend on the seed and its
 * index only. Beam search takes the prompts one by one; its `returnSequences` sequences of a prompt are neighbours.
 *
 * @param prompts token ids, [rows][length of the row]
 * @throws DataError for an empty or too long prompt; UsageError for an option out of range
 */
export async function generateBatch(
  decoder: Decoder,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions = {},
): Promise<GenerationResult[]> {
  const results: GenerationResult[][] = prompts.map(() => [])
  for await (const event of streamBatch(decoder, prompts, options)) {
    if (event.type === 'finish') results[event.row].push(event.result)
  }
  return results.flat()
}

/**
 * {@link generateBatch} as a stream: the events of all rows, in the order in which they happen.
 *
 * @throws DataError for an empty or too long prompt; UsageError for an option out of range
 */
export async function* streamBatch(
  decoder: Decoder,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions = {},
): AsyncGenerator<GenerationEvent, void> {
  check(decoder, prompts, options)
  const strategy = options.strategy ?? greedy()
  const processors = logitProcessors(options)
  const eosTokenIds = endTokens(options)
  if (strategy.kind !== 'beam') {
    const rows = prompts.map((prompt, index) => new Row(prompt, index, { decoder, options, eosTokenIds }))
    yield* chooseTokens(decoder, rows, { strategy, processors, signal: options.signal })
    return
  }
  const { tokenizer, stop = [], signal } = options
  for (const [row, prompt] of prompts.entries()) {
    const limit = longestContinuation(decoder, prompt, options)
    const search = { strategy, processors, eosTokenIds, limit, tokenizer, stop, signal }
    for (const result of await searchBeams(decoder, prompt, search)) yield { type: 'finish', row, result }
  }
}

/** The greedy and sampling loop over the rows that are not finished. */
async function* chooseTokens(
  decoder: Decoder,
  rows: Row[],
  options: { strategy: TokenStrategy; processors: readonly LogitProcessor[]; signal?: AbortSignal },
): AsyncGenerator<GenerationEvent, void> {
  const scratch = new Float32Array(decoder.vocabularySize)
  options.signal?.throwIfAborted()
  let logits = await decoder.start(rows.map(({ ids }) => ids))
  let active = rows
  for (;;) {
    for (const [i, row] of active.entries()) {
      scratch.set(logits[i])
      for (const process of options.processors) process(scratch, row.ids)
      const id = options.strategy.choose(scratch, row.uniform)
      const text = row.accept(id)
      yield { type: 'token', row: row.index, id, text }
      if (row.finishReason) yield { type: 'finish', row: row.index, result: row.result(row.finishReason) }
    }
    const kept = [...active.keys()].filter((i) => !active[i].finishReason)
    if (kept.length === 0) return
    if (kept.length < active.length) decoder.reorder(kept)
    active = kept.map((i) => active[i])
    options.signal?.throwIfAborted()
    logits = await decoder.step(active.map(({ ids }) => ids[ids.length - 1]))
  }
}

/** One sequence that grows by a token a step. */
class Row {
  /** Prompt and generated tokens. */
  readonly ids: number[]
  readonly uniform: () => number
  finishReason: FinishReason | undefined
  readonly #promptLength: number
  readonly #limit: number
  readonly #eosTokenIds: ReadonlySet<number>
  readonly #stream: TextStream | undefined
  #text = ''

  constructor(
    prompt: readonly number[],
    readonly index: number,
    context: { decoder: Decoder; options: GenerationOptions; eosTokenIds: ReadonlySet<number> },
  ) {
    const { decoder, options, eosTokenIds } = context
    const { seed = 0, tokenizer, stop } = options
    const random = new RandomStream(seed, 'sample', index)
    this.uniform = () => random.uniform()
    this.ids = [...prompt]
    this.#promptLength = prompt.length
    this.#limit = longestContinuation(decoder, prompt, options)
    this.#eosTokenIds = eosTokenIds
    this.#stream = tokenizer && new TextStream(tokenizer, { stop, skipSpecialTokens: true })
  }

  /** Appends a token, decides whether it is the last, and returns the text that became final. */
  accept(id: number): string {
    this.ids.push(id)
    const isEnd = this.#eosTokenIds.has(id)
    let text = isEnd ? '' : (this.#stream?.push(id) ?? '')
    const isLast = isEnd || this.ids.length - this.#promptLength >= this.#limit
    if (isLast) text += this.#stream?.finish() ?? ''
    if (isEnd || this.#stream?.stopped) this.finishReason = 'stop'
    else if (isLast) this.finishReason = 'length'
    this.#text += text
    return text
  }

  result(finishReason: FinishReason): GenerationResult {
    const ids = this.ids.slice(this.#promptLength)
    return this.#stream ? { ids, text: this.#text, finishReason } : { ids, finishReason }
  }
}

/** The processors of the options, in the order of Hugging Face. */
function logitProcessors(options: GenerationOptions): LogitProcessor[] {
  const processors: LogitProcessor[] = []
  if (options.logitBias !== undefined) processors.push(logitBias(options.logitBias))
  if (options.repetitionPenalty !== undefined) processors.push(repetitionPenalty(options.repetitionPenalty))
  if (options.noRepeatNgramSize !== undefined) processors.push(noRepeatNgram(options.noRepeatNgramSize))
  return processors
}

function endTokens({ eosTokenIds, tokenizer }: GenerationOptions): ReadonlySet<number> {
  if (eosTokenIds) return new Set(eosTokenIds)
  return new Set(tokenizer?.eosTokenId === undefined ? [] : [tokenizer.eosTokenId])
}

/** Without a limit up to the end of the context; its last token is chosen but never fed: one more than there is room. */
function longestContinuation(decoder: Decoder, prompt: readonly number[], options: GenerationOptions): number {
  return options.maxNewTokens ?? decoder.contextLength - prompt.length + 1
}

function check(decoder: Decoder, prompts: readonly (readonly number[])[], options: GenerationOptions): void {
  const { maxNewTokens, stop = [], tokenizer } = options
  if (prompts.length === 0) throw new UsageError('generate: expected at least one prompt, got none')
  for (const [row, prompt] of prompts.entries()) {
    if (prompt.length === 0 || prompt.length > decoder.contextLength) {
      throw new DataError(
        `generate: expected prompt ${row} to have 1 to ${decoder.contextLength} tokens (the model's context), got ${prompt.length}; ${prompt.length === 0 ? 'start it with a token, such as the end-of-sequence token' : 'shorten it'}`,
      )
    }
  }
  if (maxNewTokens !== undefined && !(Number.isInteger(maxNewTokens) && maxNewTokens >= 1)) {
    throw new UsageError(`generate: expected maxNewTokens to be a whole number ≥ 1, got ${maxNewTokens}`)
  }
  if (stop.includes(''))
    throw new UsageError('generate: expected stop strings of at least one character, got an empty one')
  if (stop.length > 0 && !tokenizer) {
    throw new UsageError(`generate: stop strings need a tokenizer to find them in the text; give options.tokenizer`)
  }
}
