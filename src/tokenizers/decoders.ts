import { TokenizerError } from '../errors.js'
import { CHARACTER_BYTES } from './byte-level.js'
import { patternOf } from './pattern.js'
import { METASPACE } from './pre-tokenizers.js'
import type { TokenizerPart } from './tokenizer-json.js'

/** A step from tokens to text, which may join tokens; at the end all are joined. */
export type DecodeStep = (tokens: readonly string[]) => readonly string[]

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

/**
 * The decoder of a `tokenizer.json`.
 *
 * @throws TokenizerError for a type that is not known here
 */
export function createDecoder(part: TokenizerPart): DecodeStep {
  switch (part.type) {
    case 'Sequence': {
      const steps = Array.isArray(part.decoders) ? part.decoders.map(createDecoder) : []
      return (tokens) => steps.reduce((result, step) => step(result), tokens)
    }
    case 'ByteLevel':
      return (tokens) => [decoder.decode(Uint8Array.from(tokens.flatMap(bytesOf)))]
    case 'ByteFallback':
      return byteFallback
    case 'WordPiece':
      return wordPiece(String(part.prefix ?? '##'), part.cleanup !== false)
    case 'Metaspace':
      return metaspace(String(part.replacement ?? METASPACE), part)
    case 'BPEDecoder':
      return wordEnds(String(part.suffix ?? '</w>'))
    case 'Fuse':
      return (tokens) => [tokens.join('')]
    case 'Replace': {
      const pattern = patternOf(part.pattern)
      return (tokens) => tokens.map((token) => token.replace(pattern, () => String(part.content ?? '')))
    }
    case 'Strip':
      return (tokens) => tokens.map((token) => stripped(token, part))
    default:
      throw new TokenizerError(
        `tokenizer.json: decoder ${part.type} is not available in JavaScript; use the native library, or a tokenizer without it`,
      )
  }
}

/** The bytes that a byte-level token spells; an added token that is not spelled in bytes stands for itself. */
function bytesOf(token: string): number[] {
  const bytes: number[] = []
  for (const character of token) {
    const byte = CHARACTER_BYTES.get(character)
    if (byte === undefined) return [...encoder.encode(token)]
    bytes.push(byte)
  }
  return bytes
}

/** Tokens <0x00> to <0xFF> become text where they are UTF-8, and one replacement character each where not. */
function byteFallback(tokens: readonly string[]): string[] {
  const result: string[] = []
  let bytes: number[] = []
  const flush = () => {
    if (bytes.length > 0) result.push(utf8Text(bytes) ?? '\ufffd'.repeat(bytes.length))
    bytes = []
  }
  for (const token of tokens) {
    const byte = /^<0x([\dA-Fa-f]{2})>$/.exec(token)
    if (byte) bytes.push(Number.parseInt(byte[1], 16))
    else {
      flush()
      result.push(token)
    }
  }
  flush()
  return result
}

/** Bytes as text, undefined where they are not UTF-8. */
function utf8Text(bytes: readonly number[]): string | undefined {
  try {
    return strictDecoder.decode(Uint8Array.from(bytes))
  } catch {
    return undefined
  }
}

function wordPiece(prefix: string, cleanup: boolean): DecodeStep {
  return (tokens) =>
    tokens.map((token, i) => {
      const joins = prefix !== '' && token.startsWith(prefix)
      const text = i === 0 ? token : joins ? token.slice(prefix.length) : ` ${token}`
      return cleanup ? text.replace(/ (?=[.?!,]|n't|'(?:m|s|ve|re))| ' /g, (found) => found.trim()) : text
    })
}

function metaspace(mark: string, { prepend_scheme: scheme, add_prefix_space: prefixed }: TokenizerPart): DecodeStep {
  const isPrepended = scheme === undefined ? prefixed !== false : scheme !== 'never'
  return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 && isPrepended ? '' : ' '))
}

function wordEnds(suffix: string): DecodeStep {
  return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '))
}

/** Removes a character up to `start` times from the left and `stop` times from the right. */
function stripped(token: string, { content, start, stop }: TokenizerPart): string {
  const characters = [...token]
  let from = 0
  let to = characters.length
  while (from < Number(start ?? 0) && from < to && characters[from] === content) from++
  while (characters.length - to < Number(stop ?? 0) && to > from && characters[to - 1] === content) to--
  return characters.slice(from, to).join('')
}
