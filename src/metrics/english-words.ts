import { splitWhitespace, whitespace, wordCharacter } from './python-text.js'

const boundary = `(?:(?<=[${wordCharacter}])(?![${wordCharacter}])|(?<![${wordCharacter}])(?=[${wordCharacter}]))`

/** Contractions written as one word, and where they are cut in two. */
const contractions = ['can|not', "d|'ye", 'gim|me', 'gon|na', 'got|ta', 'lem|me', "more|'n"]

/** What is replaced by what, in this order. */
const rules: readonly (readonly [RegExp, string])[] = [
  [/[«‘„]/gu, ' $& '],
  // A quotation mark that opens becomes ``, every other one ''.
  [/^"/gu, ' `` '],
  [/([ ([{<])(?:"|'')/gu, '$1 `` '],
  [rule(`(?<![${wordCharacter}])'(?!(?:re|ve|ll|m|t|s|d|n)${boundary})(?=[${wordCharacter}])`), "' "],
  // A period is cut off only where it ends the text, brackets and quotation marks behind it apart.
  [rule(`([^.])\\.([\\])}>"'» ]*)[${whitespace}]*$`), '$1 . $2 '],
  [/,(\P{Nd})/gu, ' , $1'],
  [/,$/gu, ' , '],
  [/\.{2,}/gu, ' $& '],
  [/[;@#$%&\u2012-\u2015?!]/gu, ' $& '],
  [/([^'])' /gu, "$1 ' "],
  [/[\][(){}<>]/gu, ' $& '],
  [/^|$/gu, ' '],
  [/»/gu, ' $& '],
  [/''|"/gu, " '' "],
  [rule(`[${whitespace}]+`), ' '],
  [/([^' ])('[smd]?) /gu, '$1 $2 '],
  [/([^' ])('ll|'re|'ve|n't) /gu, '$1 $2 '],
  ...contractions.map((word): [RegExp, string] => {
    const [head, tail] = word.split('|')
    return [rule(`${boundary}(${head})(${tail})${boundary}`), ' $1 $2 ']
  }),
  [rule(`${boundary}wanna(?=[${whitespace}])`), ' wan na '],
  [rule(` 't(is|was)${boundary}`), " 't $1 "],
]

function rule(source: string): RegExp {
  return new RegExp(source, 'gu')
}

/**
 * Words and punctuation of one line in lower case after the conventions of the Penn Treebank, as NLTK's `word_tokenize`
 * with `preserve_line=True`: `can't` → `ca n't`, `$3.50, "no".` → `$ 3.50 , `` no '' .`.
 *
 * Left out are the characters that CMRC's evaluation removes before: - : * ` and the quotation marks “ ” ’.
 */
export function englishWords(line: string): string[] {
  if (line === '') return []
  return splitWhitespace(rules.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line))
}
