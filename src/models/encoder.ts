import { DataError } from '../errors.js'
import { type Input, input, product, type Shape, scalar, type Tensor } from '../graph/index.js'
import { range, where } from '../graph/operations/index.js'
import { Mask, type Module, PaddedLayout, RaggedLayout, type SequenceLayout, toGrid } from '../nn/index.js'
import type { Feed } from '../runtime/index.js'

/** The tokens of B sequences, N rows in the order of a layout. */
export interface EncoderInput {
  /** int64 [N]. */
  readonly ids: Tensor
  /** Each token's number in its sequence, from 0, int64 [N]. */
  readonly positions: Tensor
  /** Which of the sequence's parts a token is in, 0 or 1, int64 [N]. */
  readonly segments: Tensor
  readonly layout: SequenceLayout
}

/** What every encoder's sizes include. */
export interface EncoderConfig {
  readonly vocabularySize: number
  /** Most tokens of a sequence. */
  readonly contextLength: number
  readonly width: number
  /** The id that stands for no token where sequences are padded. */
  readonly padTokenId?: number
}

/** An encoder with a head, of whatever family. */
interface EncoderHead extends Module {
  readonly config: EncoderConfig
}

/** An encoder without a head. */
export interface TextEncoder extends EncoderHead {
  /**
   * @param rows the tokens whose outputs are wanted, int64 [M] in [0, N) (default all): the last layer computes no others
   * @returns the last layer's output of each token [N, C], or [M, C]
   */
  forward(input: EncoderInput, rows?: Tensor): Tensor
}

/** What a classifier's logits mean: one label of several, any number of labels, or numbers; Hugging Face's names. */
export type ClassificationProblem = 'single_label_classification' | 'multi_label_classification' | 'regression'

/** An encoder that classifies sequences. */
export interface SequenceClassifier extends EncoderHead {
  /** The labels' names in the order of the logits. */
  readonly labels: readonly string[]
  readonly problem: ClassificationProblem
  /** One logit per label [B, labels]; for a regression the numbers themselves. */
  forward(input: EncoderInput): Tensor
}

/** An encoder that classifies tokens. */
export interface TokenClassifier extends EncoderHead {
  /** The labels' names in the order of the logits. */
  readonly labels: readonly string[]
  /** One logit per label [N, labels]. */
  forward(input: EncoderInput): Tensor
}

/** Two logits per token, [N] each; {@link tokenScores} gives them sequence by sequence. */
export interface AnswerLogits {
  /** That the answer starts at the token. */
  readonly start: Tensor
  /** That the answer ends at the token. */
  readonly end: Tensor
}

/** An encoder that marks answers in sequences (Devlin et al. 2018, §4.2). */
export interface QuestionAnswerer extends EncoderHead {
  forward(input: EncoderInput): AnswerLogits
}

/** An encoder that guesses hidden tokens (Devlin et al. 2018, §3.1, task 1). */
export interface MaskedLanguageModel extends EncoderHead {
  /**
   * @param rows which tokens to guess, int64 [M] in [0, N) (default all)
   * @returns one logit per token of the vocabulary [M, V]
   */
  forward(input: EncoderInput, rows?: Tensor): Tensor
}

/** An encoder that chooses one of several continuations (Devlin et al. 2018, §4.4). */
export interface ChoiceModel extends EncoderHead {
  /**
   * @param input the sequences of all choices of the first example, then of the second, …
   * @param choices how many choices an example has; divides B
   * @returns one logit per choice [B/choices, choices]
   */
  forward(input: EncoderInput, choices: number): Tensor
}

/** A sequence as token ids, at least one, with the part that each is in (default 0). */
export interface TokenSequence {
  readonly ids: ArrayLike<number>
  readonly segments?: ArrayLike<number>
}

/** How the sequences of a batch belong together. */
export interface BatchOptions {
  /** How many sequences in succession are one example's choices (default 1). */
  readonly choices?: number
}

/** The inputs that describe a ragged batch: see {@link encoderFeeds}. */
export type EncoderInputs = Readonly<Record<'tokens' | 'grid', Input>>

/**
 * Declares the inputs of an encoder for ragged sequences, and what a model makes of them. One program serves every batch:
 * the number of tokens is `tokens`, of examples `batch`, the longest sequence's length `sequence`.
 */
export function encoderInputs(options: BatchOptions = {}): { inputs: EncoderInputs; input: EncoderInput } {
  const tokens = input('tokens', 'int64', [4, 'tokens'])
  const grid = input('grid', 'int64', gridShape(options))
  const [ids, positions, segments, places] = tokens.split(0, [1, 1, 1, 1]).map((row) => row.reshape([-1])) // 4 × [N]
  const layout = new RaggedLayout(flatGrid(grid), places)
  return { inputs: { tokens, grid }, input: { ids, positions, segments, layout } }
}

/**
 * The arrays of a ragged batch for the inputs of {@link encoderInputs}: `tokens` int64 [4, N], of each token its id, its
 * position, its segment and its place in the grid; `grid` int64 [B, T], of each place its token's row or −1.
 *
 * @throws DataError where there is no sequence, one is empty, or the choices do not divide them
 */
export function encoderFeeds(
  sequences: readonly TokenSequence[],
  { choices = 1 }: BatchOptions = {},
): Record<keyof EncoderInputs, Feed> {
  const lengths = sequences.map(({ ids }) => ids.length)
  checkBatch(lengths, choices)
  const count = lengths.reduce((a, b) => a + b, 0)
  const longest = Math.max(...lengths)
  const tokens = new BigInt64Array(4 * count)
  const grid = new BigInt64Array(sequences.length * longest).fill(-1n)
  let row = 0
  for (const [b, { ids, segments }] of sequences.entries()) {
    for (let t = 0; t < ids.length; t++, row++) {
      const place = b * longest + t
      tokens[row] = BigInt(ids[t])
      tokens[count + row] = BigInt(t)
      tokens[2 * count + row] = BigInt(segments?.[t] ?? 0)
      tokens[3 * count + row] = BigInt(place)
      grid[place] = BigInt(row)
    }
  }
  const examples = sequences.length / choices
  const shape = choices === 1 ? [examples, longest] : [examples, choices, longest]
  return { tokens: { data: tokens, shape: [4, count] }, grid: { data: grid, shape } }
}

/** The inputs of Hugging Face's encoders, int64 [B, T] each, or [examples, choices, T]. */
export type PaddedInputs = Readonly<Record<'input_ids' | 'attention_mask' | 'token_type_ids', Input>>

/**
 * Declares the inputs of an encoder for padded sequences under Hugging Face's names, and what a model makes of them: a
 * graph without look-ups of rows, for other programs to feed.
 */
export function paddedInputs(options: BatchOptions = {}): { inputs: PaddedInputs; input: EncoderInput } {
  const declare = (name: string) => input(name, 'int64', gridShape(options))
  const inputs = {
    input_ids: declare('input_ids'),
    attention_mask: declare('attention_mask'),
    token_type_ids: declare('token_type_ids'),
  }
  const mask = flatGrid(inputs.attention_mask) // [B, T]
  const positions = range({ limit: 'sequence' }).expand(mask.shape).reshape([-1]) // [B·T]
  const [ids, segments] = [inputs.input_ids, inputs.token_type_ids].map((x) => x.reshape([-1])) // 2 × [B·T]
  return { inputs, input: { ids, positions, segments, layout: new PaddedLayout(mask.greater(0)) } }
}

/** A score per token, sequence by sequence: scores [N] → [B, T], −10⁹ in places without a token. */
export function tokenScores(scores: Tensor, layout: SequenceLayout): Tensor {
  const grid = toGrid(scores.reshape([-1, 1]), layout) // [B, T, 1]
  return where(layout.keep, grid.reshape(layout.keep.shape), scalar(Mask.forbidden)) // [B, T]
}

/** Two columns of logits as two rows: x [N, 2] → 2 × [N]. */
export function answerLogits(x: Tensor): AnswerLogits {
  const [start, end] = x.split(-1, [1, 1]).map((column) => column.reshape([-1])) // 2 × [N]
  return { start: start.named('start'), end: end.named('end') }
}

function gridShape({ choices = 1 }: BatchOptions): Shape {
  return choices === 1 ? ['batch', 'sequence'] : ['batch', choices, 'sequence']
}

/** [B, T] from [examples, choices, T]; what is [B, T] already stays as it is. */
function flatGrid(x: Tensor): Tensor {
  const [length, ...above] = [...x.shape].reverse()
  return above.length === 1 ? x : x.reshape([product(above), length])
}

function checkBatch(lengths: readonly number[], choices: number): void {
  if (lengths.length === 0) throw new DataError('a batch needs at least one sequence')
  const empty = lengths.indexOf(0)
  if (empty >= 0) throw new DataError(`sequence ${empty} of a batch is empty; expected at least one token`)
  if (lengths.length % choices === 0) return
  throw new DataError(`${lengths.length} sequences are not examples of ${choices} choices each`)
}
