import type { Span } from '../../data/relations.js'
import { createTokenizer } from '../../tokenizers/node.js'
import { specialTokenRoles } from '../../tokenizers/special-tokens.js'
import type { Encoding, Tokenizer } from '../../tokenizers/tokenizer.js'
import { parseTokenizer } from '../../tokenizers/tokenizer-json.js'
import { coveringTokens } from '../objectives/answering-windows.js'

/** The ids of the tokens that stand before and behind the two spans of a relation. */
export interface SpanMarkers {
  readonly head: readonly [before: number, behind: number]
  readonly tail: readonly [before: number, behind: number]
}

/** The spellings of markers in the order of {@link SpanMarkers}: those of their own, and the spare tokens of BERT's vocabularies. */
const ownNames = ['[E1]', '[/E1]', '[E2]', '[/E2]']
const spareNames = ['[unused1]', '[unused2]', '[unused3]', '[unused4]']

/**
 * The markers that a tokenizer has: [E1], [/E1], [E2] and [/E2], or else [unused1] to [unused4], which BERT's published
 * vocabularies keep for such uses; undefined where it has neither.
 */
export function findMarkers(tokenizer: Tokenizer): SpanMarkers | undefined {
  for (const names of [ownNames, spareNames]) {
    const [a, b, c, d] = names.map((name) => tokenizer.tokenToId(name) ?? -1)
    if (Math.min(a, b, c, d) >= 0) return { head: [a, b], tail: [c, d] }
  }
  return undefined
}

/** A tokenizer with markers: the same where it has some, else one with four tokens more, [E1], [/E1], [E2] and [/E2]. */
export function withMarkers(tokenizer: Tokenizer): Tokenizer {
  if (findMarkers(tokenizer) !== undefined) return tokenizer
  const json = parseTokenizer(tokenizer.toJSON(), 'tokenizer.json')
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  const first = tokenizer.vocabularySize
  const markers = ownNames.map((content, i) => ({ id: first + i, content, ...plain }))
  const specialTokens = Object.fromEntries(
    specialTokenRoles.map((role) => [role, tokenizer.specialTokens[role]?.token]),
  )
  const text = JSON.stringify({ ...json, added_tokens: [...(json.added_tokens ?? []), ...markers] })
  return createTokenizer(text, { specialTokens })
}

/** A text with markers around two spans, as token ids. */
export interface MarkedText {
  readonly ids: Int32Array
  /** Where the markers before the spans are. */
  readonly head: number
  readonly tail: number
}

/**
 * Puts markers around two spans of an encoded text, around the nearest whole tokens that cover each, and around the text
 * what the model expects. What is too long is cut at the end, and at the beginning as far as it must be for both spans.
 *
 * @param encoding without special tokens
 * @returns undefined where the spans lie too far apart, or the text has no tokens
 */
export function markSpans(
  encoding: Encoding,
  spans: { readonly head: Span; readonly tail: Span },
  { tokenizer: { template }, markers, maxLength }: { tokenizer: Tokenizer; markers: SpanMarkers; maxLength: number },
): MarkedText | undefined {
  const context = {
    starts: Int32Array.from(encoding.offsets, ([start]) => start),
    ends: Int32Array.from(encoding.offsets, ([, end]) => end),
  }
  const [head, tail] = [coveringTokens(context, spans.head), coveringTokens(context, spans.tail)]
  if (head === undefined || tail === undefined) return undefined
  // What closes comes before what opens at the same place: head and tail may touch.
  const inserted = [
    { id: markers.head[1], place: head.last + 1 },
    { id: markers.tail[1], place: tail.last + 1 },
    { id: markers.head[0], place: head.first },
    { id: markers.tail[0], place: tail.first },
  ]
  const room = maxLength - template.addedTokens(false) - inserted.length
  const [from, to] = [Math.min(head.first, tail.first), Math.max(head.last, tail.last) + 1]
  if (to - from > room) return undefined
  const start = Math.max(0, to - room)
  const end = Math.min(start + room, encoding.ids.length)
  const ids = [...template.before]
  for (let i = start; i <= end; i++) {
    for (const { id, place } of inserted) if (place === i) ids.push(id)
    if (i < end) ids.push(encoding.ids[i])
  }
  ids.push(...template.after)
  return { ids: Int32Array.from(ids), head: ids.indexOf(markers.head[0]), tail: ids.indexOf(markers.tail[0]) }
}
