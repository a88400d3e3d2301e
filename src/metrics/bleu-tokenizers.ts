import { UsageError } from '../errors.js'
import { splitWhitespace, trim } from './python-text.js'

/**
 * How {@link corpusBleu} cuts text into tokens, by sacreBLEU's names:
 *
 * - `13a`: as mteval-v13a, which WMT uses: ASCII punctuation is cut off, but for points and commas within numbers
 * - `intl`: as mteval-v14: punctuation (but within numbers) and symbols are cut off, those of the engine's version of
 *   Unicode
 * - `zh`: every Chinese character is a token, the rest is cut as by `13a`
 * - `char`: every character is a token
 * - `none`: at whitespace only, for text that is already cut
 */
export type BleuTokenizer = '13a' | 'intl' | 'zh' | 'char' | 'none'

const tokenizers: Readonly<Record<BleuTokenizer, (line: string) => string[]>> = {
  '13a': (line) => westernTokens(` ${withoutMarkup(line)} `),
  intl: (line) => splitWhitespace(internationalRules.reduce((text, [from, to]) => text.replace(from, to), line)),
  zh: (line) => westernTokens(trim(line).replace(chinese, ' $& ')),
  char: (line) => splitWhitespace([...line].join(' ')),
  none: splitWhitespace,
}

const internationalRules: readonly (readonly [RegExp, string])[] = [
  [/(\P{N})(\p{P})/gu, '$1 $2 '],
  [/(\p{P})(\P{N})/gu, ' $1 $2'],
  [/\p{S}/gu, ' $& '],
]

/**
 * What sacreBLEU's `zh` takes for Chinese. It means to have the characters from U+20000 on but has U+2001 to U+2A6D
 * (quotation marks, dashes, arrows, …) instead; scores are compared between papers, so this stays.
 */
const chinese =
  /[\u2001-\u2a6d\u2e80-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31bf\u31c0-\u31ef\u3200-\u4db5\u4e00-\u9fbb\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef]/g

/** The tokens of a line for BLEU. */
export function bleuTokens(line: string, tokenizer: BleuTokenizer): string[] {
  return tokenizers[tokenizer](line)
}

/** @throws UsageError for a name that is none of {@link BleuTokenizer} */
export function checkBleuTokenizer(name: string): void {
  if (Object.hasOwn(tokenizers, name)) return
  throw new UsageError(`BLEU: expected tokenize to be one of ${Object.keys(tokenizers).join(', ')}, got ${name}`)
}

function withoutMarkup(line: string): string {
  return unescapeMarkup(line.replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' '))
}

/** Text with `&quot;`, `&amp;`, `&lt;` and `&gt;` resolved, in this order. */
export function unescapeMarkup(text: string): string {
  return text.replaceAll('&quot;', '"').replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&gt;', '>')
}

function westernTokens(text: string): string[] {
  return splitWhitespace(separateNumbers(separateSymbols(text)))
}

/** Text with spaces around ASCII punctuation but points, commas, dashes and apostrophes. */
export function separateSymbols(text: string): string {
  return text.replace(/[ -&(-+/:-@[-`{-~]/g, ' $& ')
}

/** Text with spaces around the points and commas that are not within numbers, and around dashes behind digits. */
export function separateNumbers(text: string): string {
  return text
    .replace(/([^0-9])([.,])/gu, '$1 $2 ')
    .replace(/([.,])([^0-9])/gu, ' $1 $2')
    .replace(/([0-9])(-)/gu, '$1 $2 ')
}

/**
 * The tokenizer that BLEU is usually computed with for translations into a language: `zh` for Chinese, else `13a`.
 *
 * sacreBLEU cuts Japanese and Korean into words with MeCab, which is not here: `char` is a choice for them.
 *
 * @param language a code such as `zh`, `zh-CN`, `zho_Hans`, `cmn`, `de`, `en-US`
 */
export function bleuTokenizerFor(language: string): BleuTokenizer {
  return /^(zh|zho|chi|cmn|yue)([-_]|$)/i.test(language) ? 'zh' : '13a'
}

/** Whether more than half of the letters of texts are Chinese characters and those are not mixed with Japanese kana. */
export function isMostlyChinese(texts: Iterable<string>): boolean {
  let [letters, han, kana] = [0, 0, 0]
  for (const text of texts) {
    letters += text.match(/\p{L}/gu)?.length ?? 0
    han += text.match(/\p{Script=Han}/gu)?.length ?? 0
    kana += text.match(/[\p{Script=Hiragana}\p{Script=Katakana}]/gu)?.length ?? 0
  }
  return 2 * han > letters && 10 * kana < han
}
