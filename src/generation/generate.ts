import { DataError, UsageError } from '../errors.js'
import { RandomStream } from '../runtime/random.js'
import { searchBeams } from './beam-search.js'
import { type CandidateRow, type DecoderFeed, findsCandidates, nextCandidates } from './candidates.js'
import { badWords, forcedToken, minimumLength, noRepeatNgram } from './constraints.js'
import { type LogitProcessor, logitBias, repetitionPenalty } from './processors.js'
import { greedy, requireToken, type TokenStrategy } from './strategies.js'
import { TextStream } from './text-stream.js'
import type { Decoder, FinishReason, GenerationEvent, GenerationOptions, GenerationResult } from './types.js'

/** A prompt to continue. */
export interface GenerationRequest {
  /** Token ids. */
  readonly prompt: readonly number[]
  /** What events call the row, and what its samples depend on. */
  readonly row: number
  /** Most tokens to generate; up to the end of the context where none is given. */
  readonly maxNewTokens?: number
}

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
 * index only. The `returnSequences` sequences that beam search finds for a prompt are neighbours.
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
export function streamBatch(
  decoder: Decoder,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions = {},
): AsyncGenerator<GenerationEvent, void> {
  const { maxNewTokens } = options
  const requests = prompts.map((prompt, row) => ({ prompt, row, maxNewTokens }))
  return streamRequests(decoder, requests, options)
}

/**
 * {@link streamBatch} for rows that have limits and names of their own.
 *
 * @throws DataError for an empty or too long prompt; UsageError for an option out of range
 */
export async function* streamRequests(
  decoder: Decoder,
  requests: readonly GenerationRequest[],
  options: GenerationOptions,
): AsyncGenerator<GenerationEvent, void> {
  check(decoder, requests, options)
  const strategy = options.strategy ?? greedy()
  const eosTokenIds = endTokens(options)
  const processors = logitProcessors(options, eosTokenIds)
  const prompts = requests.map(({ prompt, maxNewTokens }) => {
    // The last token is chosen from the context, but never fed: there is one more than there is room.
    const limit = maxNewTokens ?? decoder.contextLength - prompt.length + 1
    return {
      ids: prompt,
      limit,
      processors: [...processors, ...lengthConstraints(options, prompt, limit, eosTokenIds)],
    }
  })
  if (strategy.kind !== 'beam') {
    const rows = prompts.map((prompt, i) => new Row(prompt, requests[i].row, { options, eosTokenIds }))
    yield* chooseTokens(decoder, rows, { strategy, signal: options.signal })
    return
  }
  const { tokenizer, stop = [], signal } = options
  for await (const found of searchBeams(decoder, prompts, { strategy, eosTokenIds, tokenizer, stop, signal })) {
    for (const result of found.results) yield { type: 'finish', row: requests[found.row].row, result }
  }
}

/** The greedy and sampling loop over the rows that are not finished. */
async function* chooseTokens(
  decoder: Decoder,
  rows: Row[],
  options: { strategy: TokenStrategy; signal?: AbortSignal },
): AsyncGenerator<GenerationEvent, void> {
  options.signal?.throwIfAborted()
  let active = rows
  let feed: DecoderFeed = { prompts: rows.map(({ ids }) => ids) }
  for (;;) {
    const tokens = await nextTokens(decoder, feed, active, options.strategy)
    for (const [i, row] of active.entries()) {
      const id = tokens(i)
      const text = row.accept(id)
      yield { type: 'token', row: row.index, id, text }
      if (row.finishReason) yield { type: 'finish', row: row.index, result: row.result(row.finishReason) }
    }
    const kept = [...active.keys()].filter((i) => !active[i].finishReason)
    if (kept.length === 0) return
    if (kept.length < active.length) decoder.reorder(kept)
    active = kept.map((i) => active[i])
    options.signal?.throwIfAborted()
    feed = { tokens: active.map(({ ids }) => ids[ids.length - 1]) }
  }
}

/** Feeds the decoder and returns what chooses the next token of a row. */
async function nextTokens(
  decoder: Decoder,
  feed: DecoderFeed,
  rows: readonly Row[],
  strategy: TokenStrategy,
): Promise<(row: number) => number> {
  if (strategy.kind === 'greedy' && findsCandidates(decoder, rows)) {
    const candidates = await nextCandidates(decoder, feed, rows, 1)
    return (row) => requireToken(candidates[row][0]?.token)
  }
  const logits = await ('prompts' in feed ? decoder.start(feed.prompts) : decoder.step(feed.tokens))
  const scratch = new Float32Array(decoder.vocabularySize)
  return (row) => {
    scratch.set(logits[row])
    for (const process of rows[row].processors) process(scratch, rows[row].ids)
    return strategy.choose(scratch, rows[row].uniform)
  }
}

/** One sequence that grows by a token a step. */
class Row implements CandidateRow {
  /** Prompt and generated tokens. */
  readonly ids: number[]
  readonly processors: readonly LogitProcessor[]
  readonly uniform: () => number
  finishReason: FinishReason | undefined
  readonly #promptLength: number
  readonly #limit: number
  readonly #eosTokenIds: ReadonlySet<number>
  readonly #stream: TextStream | undefined
  #text = ''

  constructor(
    prompt: CandidateRow & { readonly limit: number },
    readonly index: number,
    { options, eosTokenIds }: { options: GenerationOptions; eosTokenIds: ReadonlySet<number> },
  ) {
    const { seed = 0, tokenizer, stop } = options
    const random = new RandomStream(seed, 'sample', index)
    this.uniform = () => random.uniform()
    this.ids = [...prompt.ids]
    this.processors = prompt.processors
    this.#promptLength = prompt.ids.length
    this.#limit = prompt.limit
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

/** The processors of the options that all rows share, in the order of Hugging Face. */
function logitProcessors(options: GenerationOptions, eosTokenIds: ReadonlySet<number>): LogitProcessor[] {
  const processors: LogitProcessor[] = []
  if (options.logitBias !== undefined) processors.push(logitBias(options.logitBias))
  if (options.repetitionPenalty !== undefined) processors.push(repetitionPenalty(options.repetitionPenalty))
  if (options.noRepeatNgramSize !== undefined) processors.push(noRepeatNgram(options.noRepeatNgramSize))
  if (options.badWords !== undefined) processors.push(badWords(options.badWords, eosTokenIds))
  if (options.minLength !== undefined) processors.push(minimumLength(options.minLength, eosTokenIds))
  return processors
}

/** Those that depend on a row's prompt and limit, which come behind the others. */
function lengthConstraints(
  { minNewTokens, forcedBosTokenId, forcedEosTokenId }: GenerationOptions,
  prompt: readonly number[],
  limit: number,
  eosTokenIds: ReadonlySet<number>,
): LogitProcessor[] {
  const constraints: LogitProcessor[] = []
  if (minNewTokens !== undefined) constraints.push(minimumLength(prompt.length + minNewTokens, eosTokenIds))
  if (forcedBosTokenId !== undefined) constraints.push(forcedToken(1, forcedBosTokenId))
  if (forcedEosTokenId !== undefined) constraints.push(forcedToken(prompt.length + limit - 1, forcedEosTokenId))
  return constraints
}

function endTokens({ eosTokenIds, tokenizer }: GenerationOptions): ReadonlySet<number> {
  if (eosTokenIds) return new Set(eosTokenIds)
  return new Set(tokenizer?.eosTokenId === undefined ? [] : [tokenizer.eosTokenId])
}

function check(decoder: Decoder, requests: readonly GenerationRequest[], options: GenerationOptions): void {
  if (requests.length === 0) throw new UsageError('generate: expected at least one prompt, got none')
  for (const { prompt, row, maxNewTokens } of requests) {
    if (prompt.length === 0 || prompt.length > decoder.contextLength) {
      throw new DataError(
        `generate: expected prompt ${row} to have 1 to ${decoder.contextLength} tokens (the model's context), got ${prompt.length}; ${prompt.length === 0 ? 'start it with a token, such as the end-of-sequence token' : 'shorten it'}`,
      )
    }
    if (maxNewTokens !== undefined && !(Number.isInteger(maxNewTokens) && maxNewTokens >= 1)) {
      throw new UsageError(`generate: expected maxNewTokens to be a whole number ≥ 1, got ${maxNewTokens}`)
    }
  }
  checkForced(decoder, options)
  const { stop = [], tokenizer } = options
  if (stop.includes(''))
    throw new UsageError('generate: expected stop strings of at least one character, got an empty one')
  if (stop.length > 0 && !tokenizer) {
    throw new UsageError(`generate: stop strings need a tokenizer to find them in the text; give options.tokenizer`)
  }
}

function checkForced({ vocabularySize }: Decoder, options: GenerationOptions): void {
  for (const name of ['forcedBosTokenId', 'forcedEosTokenId'] as const) {
    const id = options[name]
    if (id === undefined || (Number.isInteger(id) && id >= 0 && id < vocabularySize)) continue
    throw new UsageError(`generate: expected ${name} to be a token of the vocabulary of ${vocabularySize}, got ${id}`)
  }
}
