import { TokenizerError } from '../errors.js'
import { characterLength } from './aligned-text.js'
import { BYTE_CHARACTERS } from './byte-level.js'
import type { Encoding } from './tokenizer.js'
import type { TokenizerPart } from './tokenizer-json.js'

/** What is done to the tokens of a text at the end. */
export interface PostProcessor {
  /** Ids that are put in front of the text's tokens, such as BERT's [CLS]. */
  readonly before: readonly number[]

  /** Ids that are put behind them, such as BERT's [SEP]. */
  readonly after: readonly number[]

  /** Whether offsets leave white space at the edges of a token out, and whether a text was given a blank in front. */
  readonly trim?: { readonly addPrefixSpace: boolean } | undefined
}

/**
 * What a `tokenizer.json` does to the tokens of a single text.
 *
 * @throws TokenizerError for a type that is not known here
 */
export function createPostProcessor(part: TokenizerPart): PostProcessor {
  switch (part.type) {
    case 'Sequence': {
      const steps = Array.isArray(part.processors) ? part.processors.map(createPostProcessor) : []
      return {
        before: [...steps].reverse().flatMap((step) => step.before),
        after: steps.flatMap((step) => step.after),
        trim: steps.find((step) => step.trim)?.trim,
      }
    }
    case 'ByteLevel':
      return { before: [], after: [], trim: trimOf(part) }
    case 'BertProcessing':
      return { before: [idOf(part.cls)], after: [idOf(part.sep)] }
    case 'RobertaProcessing':
      return { before: [idOf(part.cls)], after: [idOf(part.sep)], trim: trimOf(part) }
    case 'TemplateProcessing':
      return template(part)
    default:
      throw new TokenizerError(
        `tokenizer.json: post-processor ${part.type} is not available in JavaScript; use the native library, or a tokenizer without it`,
      )
  }
}

/** Moves the edges of a text's offsets past the white space of byte-level tokens, as many characters as it has. */
export function trimOffsets(
  text: string,
  { tokens, offsets }: Encoding,
  { addPrefixSpace }: { addPrefixSpace: boolean },
): void {
  const isSpace = (character: string) => character === BYTE_CHARACTERS[0x20] || /\p{White_Space}/u.test(character)
  tokens.forEach((token, i) => {
    const characters = [...token]
    const inner = characters.findIndex((character) => !isSpace(character))
    let leading = inner < 0 ? characters.length : inner
    const trailing = characters.length - 1 - characters.findLastIndex((character) => !isSpace(character))
    const [start, end] = offsets[i]
    // A single blank in front of the first token was put there and is not in the text.
    if (addPrefixSpace && leading === 1 && (i === 0 || start === 0)) leading = 0
    let from = start
    for (let k = 0; k < leading && from < end; k++) from += characterLength(text, from)
    offsets[i] = [from, inner < 0 ? from : Math.max(end - trailing, from)]
  })
}

function template(part: TokenizerPart): PostProcessor {
  const special = isRecord(part.special_tokens) ? part.special_tokens : {}
  const items: unknown[] = Array.isArray(part.single) ? part.single : []
  const place = items.findIndex((item) => isRecord(item) && 'Sequence' in item)
  const ids = (some: unknown[]) =>
    some.flatMap((item) => {
      const token = isRecord(item) && isRecord(item.SpecialToken) ? special[String(item.SpecialToken.id)] : undefined
      return isRecord(token) && Array.isArray(token.ids) ? token.ids.map(Number) : []
    })
  return { before: ids(items.slice(0, place)), after: ids(items.slice(place + 1)) }
}

function trimOf(part: TokenizerPart): PostProcessor['trim'] {
  return part.trim_offsets === false ? undefined : { addPrefixSpace: part.add_prefix_space !== false }
}

/** The id of a token given as [token, id]. */
function idOf(token: unknown): number {
  return Array.isArray(token) ? Number(token[1]) : Number.NaN
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
