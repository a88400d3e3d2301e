import { characterLength } from './aligned-text.js'
import { BYTE_CHARACTERS } from './byte-level.js'
import type { Encoding } from './tokenizer.js'
import type { TokenizerPart } from './tokenizer-json.js'

/** How offsets leave white space at the edges of tokens out. */
export interface OffsetTrim {
  /** Whether texts were given a blank in front, which is not in the text. */
  readonly addPrefixSpace: boolean
}

/** The steps of a post-processor, which is one or a sequence of them. */
export function postProcessorSteps(part: TokenizerPart | null | undefined): TokenizerPart[] {
  if (!part) return []
  if (part.type !== 'Sequence') return [part]
  return Array.isArray(part.processors) ? part.processors.flatMap(postProcessorSteps) : []
}

/** What a post-processor does to offsets; undefined where it leaves them as they are. */
export function offsetTrim(part: TokenizerPart | null | undefined): OffsetTrim | undefined {
  const types = ['ByteLevel', 'RobertaProcessing']
  const step = postProcessorSteps(part).find((step) => types.includes(step.type) && step.trim_offsets !== false)
  return step && { addPrefixSpace: step.add_prefix_space !== false }
}

/** Moves the edges of a text's offsets past the white space of byte-level tokens, as many characters as it has. */
export function trimOffsets(text: string, { tokens, offsets }: Encoding, { addPrefixSpace }: OffsetTrim): void {
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
