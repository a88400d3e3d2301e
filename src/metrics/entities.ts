import { type Entity, extractEntities, type TagScheme } from '../data/tag-scheme.js'
import {
  type Counts,
  checkSameLength,
  type LabelScores,
  labelScoresOf,
  macroScoresOf,
  ratio,
  scoresOf,
  totalOf,
} from './counts.js'

/** How well entities were found; all between 0 and 1. */
export interface EntityMetrics {
  /** Share of tokens with the right tag. */
  readonly accuracy: number
  /** Over the entities of all types together; right is one whose type, first and last token are right. */
  readonly precision: number
  readonly recall: number
  readonly f1: number
  /** The means over the types that occur or are predicted. */
  readonly macroPrecision: number
  readonly macroRecall: number
  readonly macroF1: number
}

/** How entities are read from tags. */
export interface EntityOptions {
  /** Where given, only what follows this scheme to the letter is an entity; else they are read as conlleval does. */
  readonly strict?: TagScheme
}

/**
 * Compares predicted tags with the true ones by the entities that they mark; equal to seqeval's functions with
 * `zero_division=0` (Nakayama 2018), and with `mode='strict'` and the scheme where one is given.
 *
 * @param expected the true tags of each sentence
 * @param predicted the predicted tags of each sentence
 * @throws UsageError where lengths differ, DataError for a tag that the strict scheme does not have
 */
export function entityMetrics(
  expected: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
  options: EntityOptions = {},
): EntityMetrics {
  const counts = [...countEntities(expected, predicted, options).values()]
  const macro = macroScoresOf(counts)
  const [wanted, found] = [expected.flat(), predicted.flat()]
  return {
    accuracy: ratio(wanted.filter((tag, i) => tag === found[i]).length, wanted.length),
    ...scoresOf(totalOf(counts)),
    macroPrecision: macro.precision,
    macroRecall: macro.recall,
    macroF1: macro.f1,
  }
}

/**
 * Precision, recall, F1 and support of each type of entity, sorted by type; equal to seqeval's `classification_report`.
 *
 * @param expected the true tags of each sentence
 * @param predicted the predicted tags of each sentence
 * @throws UsageError where lengths differ, DataError for a tag that the strict scheme does not have
 */
export function entityScores(
  expected: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
  options: EntityOptions = {},
): Record<string, LabelScores> {
  const counts = [...countEntities(expected, predicted, options)].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(counts.map(([type, count]) => [type, labelScoresOf(count)]))
}

/**
 * The entities of a sequence of tags, read as the evaluation of CoNLL 2000 reads them and seqeval by default: an entity
 * also begins where the scheme is broken (I- behind O or behind another type) and ends wherever its type does.
 *
 * Tags may be of any {@link TagScheme}: M-, L- and U- count as I-, E- and S-, which seqeval does not know.
 */
export function looseEntities(tags: readonly string[]): Entity[] {
  const entities: Entity[] = []
  let [letter, type, start] = ['O', '', 0]
  for (const [i, tag] of [...tags, 'O'].entries()) {
    const nextLetter = conllLetters[tag[0]] ?? tag[0]
    const nextType = tag.slice(1).replace(/^[^-]*-/, '') || '_'
    const changes = type !== nextType
    if ((letter !== 'O' && changes) || endsBetween(letter, nextLetter)) entities.push({ type, start, end: i })
    if ((nextLetter !== 'O' && changes) || startsBetween(letter, nextLetter)) start = i
    ;[letter, type] = [nextLetter, nextType]
  }
  return entities
}

const conllLetters: Readonly<Record<string, string>> = { M: 'I', L: 'E', U: 'S' }

function endsBetween(letter: string, next: string): boolean {
  return 'ES'.includes(letter) || ('BI'.includes(letter) && 'BSO'.includes(next))
}

function startsBetween(letter: string, next: string): boolean {
  return 'BS'.includes(next) || ('ESO'.includes(letter) && 'IE'.includes(next))
}

function countEntities(
  expected: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
  { strict }: EntityOptions,
): Map<string, Counts> {
  checkSameLength('entity metrics', expected, predicted)
  const counts = new Map<string, Counts>()
  const count = (type: string, side: keyof Counts) => {
    if (!counts.has(type)) counts.set(type, { right: 0, predicted: 0, expected: 0 })
    counts.get(type)![side]++
  }
  const read = (tags: readonly string[]) => (strict ? extractEntities(tags, strict) : looseEntities(tags))
  const keyOf = ({ type, start, end }: Entity) => `${start} ${end} ${type}`
  for (const [i, tags] of expected.entries()) {
    checkSameLength(`entity metrics: sentence ${i}`, tags, predicted[i])
    const wanted = read(tags)
    const keys = new Set(wanted.map(keyOf))
    for (const { type } of wanted) count(type, 'expected')
    for (const entity of read(predicted[i])) {
      count(entity.type, 'predicted')
      if (keys.has(keyOf(entity))) count(entity.type, 'right')
    }
  }
  return counts
}
