import type { AlignedText } from './aligned-text.js'
import { BYTE_CHARACTERS, wordEnd } from './byte-level.js'
import { forEachBertWord, METASPACE } from './pre-tokenizers.js'
import type { TokenizerJson, TokenizerPart } from './tokenizer-json.js'
import type { WordSplitter } from './word-encoder.js'

/**
 * The splitter of a tokenizer whose words are slices of its text: GPT-2's byte-level one, BERT's, and SentencePiece's as
 * Heddle trains it. Undefined for others.
 */
export function createWordSplitter(json: TokenizerJson): WordSplitter | undefined {
  if (isByteLevel(json)) return { ...asItIs, forEachWord: forEachByteLevelWord }
  const { pre_tokenizer: split } = json
  if (split?.type === 'BertPreTokenizer') return { ...asItIs, forEachWord: forEachBertWord }
  return split && isMetaspaceWithLines(split) ? metaspaceSplitter : undefined
}

/**
 * Whether a tokenizer has a splitter, and all else in it is the same in JavaScript to the last character: normalization
 * whose tables are known, a model of our own, no strategies that are random.
 */
export function isFastInJavaScript(json: TokenizerJson): boolean {
  const { normalizer, model, post_processor: post, decoder } = json
  const exact = ['BertNormalizer', 'NFC', 'NFD', 'NFKC', 'NFKD']
  const isExact = !normalizer || exact.includes(normalizer.type)
  const isOwn = ['BPE', 'WordPiece', 'Unigram'].includes(model.type ?? '') && !model.byte_fallback && !model.dropout
  const posts = ['ByteLevel', 'TemplateProcessing', 'BertProcessing', 'RobertaProcessing']
  const isKnown =
    (!post || posts.includes(post.type)) && (!decoder || ['ByteLevel', 'WordPiece', 'Metaspace'].includes(decoder.type))
  return isExact && isOwn && isKnown && createWordSplitter(json) !== undefined
}

/**
 * Whether a tokenizer is byte-level byte-pair encoding as GPT-2's, without normalization: then the words of a text are
 * known before its bytes are looked at.
 */
export function isByteLevel({ model, normalizer, pre_tokenizer: split }: TokenizerJson): boolean {
  const isPlain = model.type === 'BPE' && !model.unk_token && !model.byte_fallback && !model.dropout
  const hasAffixes = Boolean(model.continuing_subword_prefix || model.end_of_word_suffix || model.ignore_merges)
  const splits = split?.type === 'ByteLevel' && split.add_prefix_space === false && split.use_regex !== false
  const vocabulary = model.vocab
  if (!isPlain || hasAffixes || normalizer || !splits || typeof vocabulary !== 'object' || !vocabulary) return false
  return BYTE_CHARACTERS.every((character) => Object.hasOwn(vocabulary, character))
}

const asItIs = { prepare: (text: string) => text, align: (text: AlignedText) => text }

const metaspaceSplitter: WordSplitter = {
  prepare: (text) => {
    const marked = text.replaceAll(' ', METASPACE)
    return marked === '' || marked.startsWith(METASPACE) ? marked : METASPACE + marked
  },
  align: (text) => {
    const marked = text.respelled(text.text.replaceAll(' ', METASPACE))
    return marked.text.startsWith(METASPACE) ? marked : marked.prepended(METASPACE)
  },
  forEachWord: forEachMetaspaceWord,
}

function forEachByteLevelWord(text: string, onWord: (start: number, end: number) => void): void {
  for (let start = 0; start < text.length; ) {
    const end = wordEnd(text, start)
    onWord(start, end)
    start = end
  }
}

/** Calls back for each word of a text with {@link METASPACE} for its blanks: they begin there, line feeds are words. */
export function forEachMetaspaceWord(text: string, onWord: (start: number, end: number) => void): void {
  let start = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    const isLineFeed = unit === 0x0a
    if (!isLineFeed && unit !== 0x2581) continue
    if (i > start) onWord(start, i)
    if (isLineFeed) onWord(i, i + 1)
    start = isLineFeed ? i + 1 : i
  }
  if (text.length > start) onWord(start, text.length)
}

/** Metaspace in front of every text, then line feeds as words of their own. */
function isMetaspaceWithLines({ type, pretokenizers: steps }: TokenizerPart): boolean {
  if (type !== 'Sequence' || !Array.isArray(steps) || steps.length !== 2) return false
  const [mark, split]: TokenizerPart[] = steps
  const isMark = mark.type === 'Metaspace' && (mark.replacement ?? METASPACE) === METASPACE && mark.split !== false
  const isSplit = split.type === 'Split' && JSON.stringify(split.pattern) === JSON.stringify({ String: '\n' })
  return isMark && mark.prepend_scheme === 'always' && isSplit && split.behavior === 'Isolated' && split.invert !== true
}
