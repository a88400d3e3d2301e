import { DataError } from '../errors.js'
import { checkSameLength } from './counts.js'

/** The version of this package, which signatures name. */
const version = '0.1.0'

/** The references of one segment: a text, or several of which the one that fits best counts. */
export type SegmentReferences = string | readonly string[]

/**
 * The references of every segment of a corpus as lists.
 *
 * @throws UsageError where there are not as many as hypotheses; DataError for a corpus of no segments and for a segment
 * without a reference
 */
export function referenceLists(
  where: string,
  hypotheses: readonly string[],
  references: readonly SegmentReferences[],
): readonly (readonly string[])[] {
  checkSameLength(where, references, hypotheses)
  if (hypotheses.length === 0) throw new DataError(`${where}: expected at least one segment to score, got none`)
  const lists = references.map((texts) => (typeof texts === 'string' ? [texts] : texts))
  const bare = lists.findIndex((texts) => texts.length === 0)
  if (bare >= 0)
    throw new DataError(`${where}: expected a reference for every segment, got none for segment ${bare}; leave it out`)
  return lists
}

/**
 * How a score was computed, written as sacreBLEU's signatures (Post 2018, §4): `nrefs:1|case:mixed|…|version:…`.
 *
 * The version is `heddle-` and that of this package, not one of sacreBLEU, which did not compute the score.
 *
 * @param references those of every segment; `nrefs` is `var` where segments have different numbers of them
 * @param settings further keys with their values in order; true and false become yes and no
 */
export function scoreSignature(
  references: readonly (readonly string[])[],
  settings: Readonly<Record<string, string | number | boolean>>,
): string {
  const numbers = new Set(references.map((texts) => texts.length))
  const nrefs = numbers.size === 1 ? references[0].length : 'var'
  return Object.entries({ nrefs, ...settings, version: `heddle-${version}` })
    .map(([key, value]) => `${key}:${typeof value === 'boolean' ? yesOrNo(value) : value}`)
    .join('|')
}

function yesOrNo(value: boolean): string {
  return value ? 'yes' : 'no'
}
