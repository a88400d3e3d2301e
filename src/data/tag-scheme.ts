import { DataError } from '../errors.js'

/**
 * How tags mark where an entity begins and ends: `BIO` (B at every beginning; IOB2), `IOB1` (B only behind an entity of
 * the same type), `BIOES` (E at the end, S for one token alone), `BMES` (the same with M for I), `BILOU` (L for E, U for
 * S). Ramshaw & Marcus 1995; Ratinov & Roth 2009.
 */
export type TagScheme = 'BIO' | 'IOB1' | 'BIOES' | 'BMES' | 'BILOU'

/** A named span of tokens. */
export interface Entity {
  /** What follows the tag's letter (`LOC` of `B-LOC`); `_` for tags that are a letter alone. */
  readonly type: string
  /** Index of its first token. */
  readonly start: number
  /** Index behind its last token. */
  readonly end: number
}

/** Which sequences of K tags are legal; 1 for yes, 0 for no. */
export interface LegalTags {
  readonly tags: readonly string[]
  /** [K]: whether a sequence may begin with a tag. */
  readonly start: Uint8Array
  /** [K, K]: whether the tag of the row may be followed by that of the column. */
  readonly transition: Uint8Array
  /** [K]: whether a sequence may end with a tag. */
  readonly end: Uint8Array
}

/** A tag in the letters of BIOES, whatever its scheme. */
interface Tag {
  readonly letter: string
  readonly type: string
}

/** The letters of each scheme, and which letter of BIOES each one means. */
const letters: Record<TagScheme, Readonly<Record<string, string>>> = {
  BIO: { B: 'B', I: 'I', O: 'O' },
  IOB1: { B: 'B', I: 'I', O: 'O' },
  BIOES: { B: 'B', I: 'I', O: 'O', E: 'E', S: 'S' },
  BMES: { B: 'B', M: 'I', E: 'E', S: 'S', O: 'O' },
  BILOU: { B: 'B', I: 'I', L: 'E', O: 'O', U: 'S' },
}

const outside: Tag = { letter: 'O', type: '' }

/**
 * The scheme of the data set that these sequences are: the first of BIO, BIOES, BMES and BILOU that has all their
 * letters, and IOB1 where they break BIO's rules but not IOB1's.
 *
 * @param sequences the tags of every sentence, such as `['B-LOC', 'I-LOC', 'O']`
 * @param where what the message of an error begins with, such as the name of the file
 * @throws DataError for tags of no scheme, and where every tag is O
 */
export function detectTagScheme(sequences: readonly (readonly string[])[], where = 'tags'): TagScheme {
  const scheme = schemeOfTags(new Set(sequences.flat()), where)
  if (scheme !== 'BIO') return scheme
  const allFollow = (scheme: TagScheme) => sequences.every((tags) => followsScheme(tags, scheme))
  return !allFollow('BIO') && allFollow('IOB1') ? 'IOB1' : 'BIO'
}

/**
 * The scheme that has the letters of these tags: the first of BIO, BIOES, BMES and BILOU.
 *
 * @param tags distinct tags, such as the labels of a model
 * @param where what the message of an error begins with
 * @throws DataError for tags of no scheme, and where every tag is O
 */
export function schemeOfTags(tags: Iterable<string>, where = 'tags'): TagScheme {
  const found = [...tags]
  const examples = new Map(found.map((tag) => [letterOf(tag) ?? '', tag]))
  if ([...examples.keys()].every((letter) => letter === 'O'))
    throw new DataError(
      `${where}: expected tags of entities such as B-LOC, got ${found.length > 0 ? 'only O' : 'none'}; check the column`,
    )
  const candidates: readonly TagScheme[] = ['BIO', 'BIOES', 'BMES', 'BILOU']
  const scheme = candidates.find((scheme) => [...examples.keys()].every((letter) => letter in letters[scheme]))
  if (scheme !== undefined) return scheme
  const strangers = found.filter((tag) => letterOf(tag) === undefined).slice(0, 3)
  const got = strangers.length > 0 ? strangers : [...examples.values()]
  throw new DataError(
    `${where}: expected tags of one scheme, which is O and B-, I- (BIO), B-, I-, E-, S- (BIOES), B-, M-, E-, S- (BMES) ` +
      `or B-, I-, L-, U- (BILOU) before a type, got ${got.map((tag) => `'${tag}'`).join(', ')} among ` +
      `${found.length} tags; check the column of the tags, or rename them`,
  )
}

/**
 * Which sequences of these tags follow the scheme.
 *
 * @param tags K distinct tags, such as the labels of a model
 * @throws DataError for a tag that is none of the scheme's
 */
export function legalTags(tags: readonly string[], scheme: TagScheme): LegalTags {
  const parsed = tags.map((tag) => parseTag(tag, scheme))
  const flags = (values: boolean[]) => Uint8Array.from(values, Number)
  return {
    tags,
    start: flags(parsed.map((tag) => mayFollow(outside, tag, scheme))),
    transition: flags(parsed.flatMap((row) => parsed.map((column) => mayFollow(row, column, scheme)))),
    end: flags(parsed.map((tag) => mayFollow(tag, outside, scheme))),
  }
}

/**
 * Whether a sequence of tags follows the scheme from edge to edge.
 *
 * @throws DataError for a tag that is none of the scheme's
 */
export function followsScheme(tags: readonly string[], scheme: TagScheme): boolean {
  const parsed = [outside, ...tags.map((tag) => parseTag(tag, scheme)), outside]
  return parsed.slice(1).every((tag, i) => mayFollow(parsed[i], tag, scheme))
}

/**
 * The entities of a sequence of tags, where only what follows the scheme to the letter is one: equal to seqeval's with
 * `mode='strict'` (IOB2 for BIO; IOBES for BIOES, and for BMES with I for M).
 *
 * Of sequences that break IOB1's rules, seqeval leaves out some more.
 *
 * @throws DataError for a tag that is none of the scheme's
 */
export function extractEntities(tags: readonly string[], scheme: TagScheme): Entity[] {
  const parsed = tags.map((tag) => parseTag(tag, scheme))
  const entities: Entity[] = []
  let previous = outside
  for (let start = 0; start < parsed.length; ) {
    let end = start + 1
    if (begins(previous, parsed[start], scheme)) {
      while (end < parsed.length && continues(parsed[end - 1], parsed[end])) end++
      const complete = scheme === 'BIO' || scheme === 'IOB1' || 'ES'.includes(parsed[end - 1].letter)
      if (complete) entities.push({ type: parsed[start].type, start, end })
    }
    previous = parsed[end - 1]
    start = end
  }
  return entities
}

/** The letter of a tag, undefined where it is not like B-LOC or B. */
function letterOf(tag: string): string | undefined {
  return /^(?:O$|[BIESMLU](?=$|-))/.exec(tag)?.[0]
}

function parseTag(tag: string, scheme: TagScheme): Tag {
  const letter = letterOf(tag)
  if (letter === 'O') return outside
  if (letter !== undefined && letter in letters[scheme])
    return { letter: letters[scheme][letter], type: tag.slice(1).replace(/^-+|-+$/g, '') || '_' }
  const valid = Object.keys(letters[scheme]).map((letter) => (letter === 'O' ? 'O' : `${letter}-TYPE`))
  throw new DataError(
    `tag '${tag}': expected one of ${valid.join(', ')}, as the scheme ${scheme} has them; check which scheme the data follow`,
  )
}

/** Whether a tag may stand behind another one; the edges of a sequence count as O. */
function mayFollow(previous: Tag, tag: Tag, scheme: TagScheme): boolean {
  const inside = 'IE'.includes(tag.letter)
  if (scheme === 'BIO') return !inside || continues(previous, tag)
  const open = 'BI'.includes(previous.letter)
  if (scheme === 'IOB1') return tag.letter !== 'B' || (open && previous.type === tag.type)
  return open ? continues(previous, tag) : !inside
}

function begins(previous: Tag, tag: Tag, scheme: TagScheme): boolean {
  if (scheme === 'IOB1') return tag.letter === 'I' || (tag.letter === 'B' && mayFollow(previous, tag, scheme))
  return 'BS'.includes(tag.letter)
}

function continues(previous: Tag, tag: Tag): boolean {
  return 'BI'.includes(previous.letter) && 'IE'.includes(tag.letter) && previous.type === tag.type
}
