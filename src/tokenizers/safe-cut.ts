import { addedTokens, type TokenizerJson, type TokenizerPart } from './tokenizer-json.js'

/**
 * Where a text can be cut so that its words stay the same: before a blank that follows no white space, there or before
 * such a line feed, or (where every line is a text of its own) before such a blank or behind a line feed.
 */
export type CutPlace = 'blank' | 'blankOrLineFeed' | 'blankOrLine'

const places: Readonly<Record<CutPlace, string>> = {
  blank: '(?<!\\p{White_Space}) ',
  blankOrLineFeed: '(?<!\\p{White_Space})[ \\n]',
  blankOrLine: '(?<!\\p{White_Space}) |(?<=\\n)',
}

/** A text in parts of at least `size` UTF-16 units, of which the last may be shorter, cut at the given places. */
export function* safeParts(text: string, size: number, place: CutPlace): Generator<string> {
  const cut = new RegExp(places[place], 'gu')
  let start = 0
  while (text.length - start > size) {
    cut.lastIndex = start + size
    const end = cut.exec(text)?.index ?? text.length
    yield text.slice(start, end)
    start = end
  }
  if (start < text.length) yield text.slice(start)
}

const harmlessNormalizers = [
  ...['BertNormalizer', 'NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt', 'Precompiled'],
]

/**
 * Where a text can be cut so that the tokens of its parts are those of the text; undefined where that is not known of a
 * tokenizer, as where words run across blanks, or where something is put in front of every text.
 */
export function safePlace(json: TokenizerJson): CutPlace | undefined {
  const takesSpace = addedTokens(json).some((token) => token.lstrip || token.rstrip || /\s/.test(token.content))
  const normalizers = json.normalizer ? steps(json.normalizer, 'normalizers') : []
  const splitters = json.pre_tokenizer ? steps(json.pre_tokenizer, 'pretokenizers') : []
  if (takesSpace || !normalizers.every(({ type }) => harmlessNormalizers.includes(type))) return undefined
  if (!splitters.some(endsWordsAtBlanks) || splitters.some(mayJoinWords)) return undefined
  const isPrefixed = splitters.some((part) => part.type === 'Metaspace' || part.add_prefix_space === true)
  return isPrefixed ? 'blank' : 'blankOrLineFeed'
}

/** Whether a step ends a word before every blank that follows something else. */
function endsWordsAtBlanks(part: TokenizerPart): boolean {
  if (part.type === 'ByteLevel') return part.use_regex !== false
  if (part.type === 'Metaspace') return part.split !== false
  // The patterns of GPT-4, Llama 3 and their relatives treat white space as GPT-2's does, and end as it does.
  if (part.type === 'Split') return /\\s\+\(\?!\\S\)\|\\s\+$/.test(patternText(part))
  return ['BertPreTokenizer', 'Whitespace', 'WhitespaceSplit'].includes(part.type)
}

/** Whether a step looks at more than single characters, in a way that is not known. */
function mayJoinWords(part: TokenizerPart): boolean {
  const single = ['ByteLevel', 'Punctuation', 'Digits']
  return !endsWordsAtBlanks(part) && !single.includes(part.type) && patternText(part).length !== 1
}

function patternText({ pattern }: TokenizerPart): string {
  const { Regex, String: text } = Object(pattern)
  return String(Regex ?? text ?? '')
}

function steps(part: TokenizerPart, name: 'normalizers' | 'pretokenizers'): TokenizerPart[] {
  const inner = part[name]
  return part.type === 'Sequence' && Array.isArray(inner) ? inner : [part]
}
