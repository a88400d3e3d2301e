import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { looseEntities } from '../metrics/entities.js'
import {
  detectTagScheme,
  extractEntities,
  followsScheme,
  legalTags,
  schemeOfTags,
  type TagScheme,
} from './tag-scheme.js'

/** What may follow what, written out for one type A and one B; an edge is O. */
const legalPairs: Record<TagScheme, string[]> = {
  BIO: ['O O', 'O B-A', 'B-A O', 'B-A B-A', 'B-A B-B', 'B-A I-A', 'I-A O', 'I-A I-A', 'I-A B-A', 'I-A B-B'],
  IOB1: ['O O', 'O I-A', 'I-A O', 'I-A I-A', 'I-A I-B', 'I-A B-A', 'B-A O', 'B-A I-A', 'B-A I-B', 'B-A B-A'],
  BIOES: [
    ...['O O', 'O B-A', 'O S-A', 'B-A I-A', 'B-A E-A', 'I-A I-A', 'I-A E-A'],
    ...['E-A O', 'E-A B-A', 'E-A B-B', 'E-A S-A', 'E-A S-B', 'S-A O', 'S-A B-A', 'S-A B-B', 'S-A S-A', 'S-A S-B'],
  ],
  BMES: [],
  BILOU: [],
}
legalPairs.BMES = legalPairs.BIOES.map((pair) => pair.replaceAll('I-', 'M-'))
legalPairs.BILOU = legalPairs.BIOES.map((pair) => pair.replaceAll('E-', 'L-').replaceAll('S-', 'U-'))

const lettersOf = { BIO: 'BI', IOB1: 'BI', BIOES: 'BIES', BMES: 'BMES', BILOU: 'BILU' }
const schemes: TagScheme[] = ['BIO', 'IOB1', 'BIOES', 'BMES', 'BILOU']

describe('the scheme of tags', () => {
  it.each([
    ['BIO', ['B-LOC', 'I-LOC', 'O']],
    ['BIO', ['O', 'B-LOC']],
    ['BIOES', ['O', 'B-LOC', 'E-LOC', 'S-PER']],
    ['BIOES', ['S-LOC', 'O']],
    ['BMES', ['B-NAME', 'M-NAME', 'E-NAME', 'O']],
    ['BMES', ['B', 'M', 'E', 'S']],
    ['BILOU', ['B-LOC', 'L-LOC', 'O']],
    ['BILOU', ['U-LOC', 'O']],
  ])('is %s for %s', (scheme, tags) => {
    expect(schemeOfTags(tags)).toBe(scheme)
    expect(detectTagScheme([tags])).toBe(scheme)
  })

  it('is IOB1 where I- begins entities and B- only parts neighbours', () => {
    expect(detectTagScheme([['I-LOC', 'I-LOC', 'B-LOC', 'O', 'I-PER']])).toBe('IOB1')
    expect(
      detectTagScheme([
        ['I-LOC', 'O'],
        ['O', 'B-LOC'],
      ]),
    ).toBe('BIO')
    expect(detectTagScheme([['B-LOC', 'I-LOC', 'B-LOC']])).toBe('BIO')
  })

  it('says which tags are of no scheme', () => {
    expect(() => schemeOfTags(['NOUN', 'VERB', 'O'], 'train.conll')).toThrow(
      /^train\.conll: expected tags of one scheme.*BIOES.*got 'NOUN', 'VERB' among 3 tags; check/,
    )
    expect(() => detectTagScheme([['I-LOC', 'M-LOC', 'O']])).toThrow(/got 'I-LOC', 'M-LOC', 'O' among 3 tags/)
    expect(() => detectTagScheme([['E-LOC', 'L-LOC']])).toThrow(/BILOU/)
    expect(() => detectTagScheme([['O', 'O']])).toThrow(/tags of entities such as B-LOC, got only O/)
    expect(() => detectTagScheme([])).toThrow(/got none/)
    expect(() => legalTags(['O', 'M-LOC'], 'BIO')).toThrow(
      /tag 'M-LOC': expected one of B-TYPE, I-TYPE, O, as the scheme BIO/,
    )
  })
})

describe('legal sequences', () => {
  it.each(schemes)('of %s are those of the table', (scheme) => {
    const tags = ['O', ...[...lettersOf[scheme]].flatMap((letter) => [`${letter}-A`, `${letter}-B`])]
    const swapped = legalPairs[scheme].map((pair) => pair.replace(/-[AB]/g, (type) => (type === '-A' ? '-B' : '-A')))
    const pairs = new Set([...legalPairs[scheme], ...swapped])
    const legal = legalTags(tags, scheme)
    for (const [i, from] of tags.entries()) {
      expect(legal.start[i], `start ${from}`).toBe(pairs.has(`O ${from}`) ? 1 : 0)
      expect(legal.end[i], `${from} end`).toBe(pairs.has(`${from} O`) ? 1 : 0)
      for (const [j, to] of tags.entries())
        expect(legal.transition[i * tags.length + j], `${from} ${to}`).toBe(pairs.has(`${from} ${to}`) ? 1 : 0)
    }
  })

  it('end with their entity', () => {
    expect(followsScheme(['B-A', 'M-A', 'E-A'], 'BMES')).toBe(true)
    expect(followsScheme(['B-A', 'M-A'], 'BMES')).toBe(false)
    expect(followsScheme(['B-A', 'I-A'], 'BIO')).toBe(true)
  })
})

describe('entities', () => {
  it('are what follows the scheme', () => {
    const found = [{ type: 'A', start: 1, end: 3 }]
    expect(extractEntities(['O', 'B-A', 'I-A', 'O', 'I-A'], 'BIO')).toEqual(found)
    expect(extractEntities(['I-A', 'B-A', 'E-A', 'B-A', 'I-A'], 'BIOES')).toEqual(found)
    expect(extractEntities(['M-A', 'B-A', 'E-A', 'B-A', 'E-B'], 'BMES')).toEqual(found)
    expect(extractEntities(['I-A', 'B-A', 'L-A', 'B-A', 'I-A'], 'BILOU')).toEqual(found)
  })

  it('begin with I- in IOB1, with B- behind their own type', () => {
    expect(extractEntities(['I-A', 'I-A', 'B-A', 'I-B', 'O', 'I-B'], 'IOB1')).toEqual([
      { type: 'A', start: 0, end: 2 },
      { type: 'A', start: 2, end: 3 },
      { type: 'B', start: 3, end: 4 },
      { type: 'B', start: 5, end: 6 },
    ])
  })

  it('need no type', () => {
    expect(extractEntities(['B', 'E', 'S'], 'BMES')).toEqual([
      { type: '_', start: 0, end: 2 },
      { type: '_', start: 2, end: 3 },
    ])
  })
})

const folder = join(process.env.HEDDLE_DATA ?? '', 'ner')
const hasData = process.env.HEDDLE_DATA !== undefined && existsSync(folder)

describe.skipIf(!hasData)('real tags (needs HEDDLE_DATA with ner)', () => {
  it.each([
    ['zh-resume/dev.char.bmes', 'BMES', ' ', 1497],
    ['wnut17/emerging.dev.conll', 'BIO', '\t', 836],
  ] as const)('%s follows %s', (file, scheme, separator, entities) => {
    const sentences = readFileSync(join(folder, file), 'utf8')
      .trim()
      .split(/\r?\n\s*\n/)
    const tags = sentences.map((sentence) => sentence.split(/\r?\n/).map((line) => line.split(separator)[1].trim()))
    expect(detectTagScheme(tags)).toBe(scheme)
    const strict = tags.flatMap((row) => extractEntities(row, scheme))
    expect(strict).toHaveLength(entities)
    expect(strict).toEqual(tags.flatMap(looseEntities))
  })
})
