import { z } from 'zod'
import { TokenizerError } from '../errors.js'
import { postProcessorSteps } from './post-processors.js'
import type { Encoding } from './tokenizer.js'
import type { TokenizerPart } from './tokenizer-json.js'

/** One or two texts as a model reads them, with the tokens it expects around them. */
export interface SequenceEncoding extends Encoding {
  /** Which segment each token belongs to, Hugging Face's `token_type_ids`: in BERT 0 for the first text, 1 for the second. */
  readonly segments: number[]

  /** Which text each token is from; undefined for tokens that were added. */
  readonly sequences: (0 | 1 | undefined)[]
}

/** A part of a sequence: a text, or tokens that are put between. */
interface Piece {
  /** Which text; undefined for tokens that are added. */
  readonly text: 0 | 1 | undefined
  readonly added: Encoding
  readonly segment: number
}

const nothing: Encoding = { ids: [], tokens: [], offsets: [], words: [] }

/** What a model expects around a text or a pair of texts, as the post-processor of a `tokenizer.json` says it. */
export class SequenceTemplate {
  /** Ids that stand in front of a single text, such as BERT's [CLS]. */
  readonly before: readonly number[]

  /** Ids that stand behind it, such as BERT's [SEP]. */
  readonly after: readonly number[]

  readonly #single: readonly Piece[]
  readonly #pair: readonly Piece[]

  /**
   * @param postProcessor of a `tokenizer.json`; without one texts follow each other with nothing between
   * @throws TokenizerError for a type that is not known here, and where it is damaged
   */
  constructor(postProcessor?: TokenizerPart | null) {
    const { single, pair } = templateOf(postProcessor)
    this.#single = single
    this.#pair = pair
    const place = single.findIndex(({ text }) => text === 0)
    const ids = (pieces: readonly Piece[]) => pieces.flatMap(({ added }) => added.ids)
    this.before = ids(single.slice(0, place))
    this.after = ids(single.slice(place + 1))
  }

  /** How many tokens {@link SequenceTemplate.join} adds to a text, or to a pair of texts. */
  addedTokens(isPair: boolean): number {
    const pieces = isPair ? this.#pair : this.#single
    return pieces.reduce((count, { added }) => count + added.ids.length, 0)
  }

  /**
   * A text, or a pair of texts, with what the model expects around and between: [CLS] first [SEP] second [SEP] for BERT.
   * Offsets and words stay those of each text.
   *
   * @param first, second encoded without special tokens
   */
  join(first: Encoding, second?: Encoding): SequenceEncoding {
    const texts = [first, second ?? nothing]
    const result: SequenceEncoding = { ids: [], tokens: [], offsets: [], words: [], segments: [], sequences: [] }
    for (const { text, added, segment } of second === undefined ? this.#single : this.#pair) {
      const part = text === undefined ? added : texts[text]
      for (let i = 0; i < part.ids.length; i++) {
        result.ids.push(part.ids[i])
        result.tokens.push(part.tokens[i])
        result.offsets.push(part.offsets[i])
        result.words.push(part.words[i])
        result.segments.push(segment)
        result.sequences.push(text)
      }
    }
    return result
  }
}

interface Template {
  readonly single: readonly Piece[]
  readonly pair: readonly Piece[]
}

function templateOf(postProcessor: TokenizerPart | null | undefined): Template {
  const known = ['BertProcessing', 'ByteLevel', 'RobertaProcessing', 'TemplateProcessing']
  const steps = postProcessorSteps(postProcessor)
  const unknown = steps.find(({ type }) => !known.includes(type))
  if (unknown !== undefined) {
    throw new TokenizerError(
      `tokenizer.json: post-processor ${unknown.type} is not available; expected ${known.join(', ')}, or a Sequence of them`,
    )
  }
  const adding = steps.filter(({ type }) => type !== 'ByteLevel')
  if (adding.length > 1) {
    const types = adding.map(({ type }) => type).join(' and ')
    throw new TokenizerError(`tokenizer.json: expected one post-processor that adds tokens, got ${types}; remove one`)
  }
  const [step] = adding
  if (step === undefined) return { single: [textPiece(0, 0)], pair: [textPiece(0, 0), textPiece(1, 1)] }
  return step.type === 'TemplateProcessing' ? templateProcessing(step) : aroundEach(step)
}

/** [CLS] A [SEP] B [SEP] with two segments (BERT), [CLS] A [SEP] [SEP] B [SEP] with one (RoBERTa). */
function aroundEach(step: TokenizerPart): Template {
  const isRoberta = step.type === 'RobertaProcessing'
  const { cls, sep } = parse(clsAndSep, step)
  const token = ([content, id]: [string, number], segment: number) => addedPiece([id], [content], segment)
  const single = [token(cls, 0), textPiece(0, 0), token(sep, 0)]
  const second = isRoberta ? 0 : 1
  const between = isRoberta ? [token(sep, 0)] : []
  return { single, pair: [...single, ...between, textPiece(1, second), token(sep, second)] }
}

const clsAndSep = z.looseObject({
  cls: z.tuple([z.string(), z.int()]),
  sep: z.tuple([z.string(), z.int()]),
})

const templatePieces = z.array(
  z.union([
    z.object({ SpecialToken: z.looseObject({ id: z.string(), type_id: z.int() }) }),
    z.object({ Sequence: z.looseObject({ id: z.enum(['A', 'B']), type_id: z.int() }) }),
  ]),
)

const template = z.looseObject({
  single: templatePieces,
  pair: templatePieces,
  special_tokens: z.record(z.string(), z.looseObject({ ids: z.array(z.int()), tokens: z.array(z.string()) })),
})

function templateProcessing(step: TokenizerPart): Template {
  const { single, pair, special_tokens: special } = parse(template, step)
  const pieces = (some: z.infer<typeof templatePieces>) =>
    some.map((piece) => {
      if ('Sequence' in piece) return textPiece(piece.Sequence.id === 'A' ? 0 : 1, piece.Sequence.type_id)
      const { id, type_id: segment } = piece.SpecialToken
      if (special[id] !== undefined) return addedPiece(special[id].ids, special[id].tokens, segment)
      throw new TokenizerError(`tokenizer.json: post_processor: expected ${id} among its special_tokens, it is missing`)
    })
  return { single: pieces(single), pair: pieces(pair) }
}

function parse<Schema extends z.ZodType>(schema: Schema, step: TokenizerPart): z.infer<Schema> {
  const result = schema.safeParse(step)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]
  throw new TokenizerError(`tokenizer.json: post_processor (${step.type}): ${path.join('.')}: ${message}`)
}

function textPiece(text: 0 | 1, segment: number): Piece {
  return { text, added: nothing, segment }
}

function addedPiece(ids: number[], tokens: string[], segment: number): Piece {
  const added: Encoding = { ids, tokens, offsets: ids.map(() => [0, 0]), words: ids.map(() => -1) }
  return { text: undefined, added, segment }
}
