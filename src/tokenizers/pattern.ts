/// <reference path="./huggingface-tokenizers.d.ts" />
import { SplitPreTokenizer } from '@huggingface/tokenizers'
import { TokenizerError } from '../errors.js'
import { messageOf } from './tokenizer-json.js'

/**
 * The pattern of a `tokenizer.json`, `{ String }` or `{ Regex }` in the syntax of Oniguruma, as a regular expression
 * that finds all matches.
 *
 * @throws TokenizerError for a pattern that JavaScript cannot express
 */
export function patternOf(pattern: unknown): RegExp {
  const given = JSON.stringify(pattern)
  let expression: RegExp | null
  try {
    // Translating Oniguruma's syntax is the library's work: made to split, it keeps the translated pattern.
    const split = { type: 'Split', pattern: JSON.parse(given), behavior: 'Removed', invert: true }
    expression = new SplitPreTokenizer(split).pattern
  } catch (cause) {
    throw new TokenizerError(
      `tokenizer.json: the pattern ${given} is not available in JavaScript: ${messageOf(cause)}`,
      {
        cause,
      },
    )
  }
  if (expression === null) throw new TokenizerError(`tokenizer.json: expected a pattern String or Regex, got ${given}`)
  return expression
}
