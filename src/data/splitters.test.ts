import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { RowSplitter } from './csv.js'
import { JsonArraySplitter, parseJson } from './json-values.js'
import { LineSplitter } from './lines.js'

/** All that a splitter finds in a text that comes in pieces of some lengths, again and again. */
function splitAll<Part>(
  splitter: { push(text: string): Iterable<Part>; end(): Iterable<Part> },
  text: string,
  lengths: readonly number[] = [text.length || 1],
): Part[] {
  const found: Part[] = []
  for (let start = 0, i = 0; start < text.length; start += lengths[i++ % lengths.length]) {
    found.push(...splitter.push(text.slice(start, start + lengths[i % lengths.length])))
  }
  return [...found, ...splitter.end()]
}

const pieceLengths = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 })
const text = (...characters: string[]) =>
  fc.string({ unit: fc.constantFrom('a', ' ', '、', '🧵', ...characters), maxLength: 6 })
const lineEnd = fc.constantFrom('\n', '\r\n')
const linesIn = (value: string) => value.split('\n').length - 1

describe('LineSplitter', () => {
  it('numbers lines, empty ones too, whatever ends them', () => {
    expect(splitAll(new LineSplitter('f'), 'a\r\n\nb\rc\n\n')).toEqual([
      { text: 'a', line: 1 },
      { text: '', line: 2 },
      { text: 'b\rc', line: 3 },
      { text: '', line: 4 },
    ])
    expect(splitAll(new LineSplitter('f'), '\na')).toEqual([
      { text: '', line: 1 },
      { text: 'a', line: 2 },
    ])
  })

  it('finds the lines that were written, in whatever pieces they come', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text(), lineEnd)), pieceLengths, (lines, lengths) => {
        const found = splitAll(new LineSplitter('f'), lines.flat().join(''), lengths)
        expect(found).toEqual(lines.map(([line], i) => ({ text: line, line: i + 1 })))
      }),
    )
  })
})

describe('RowSplitter', () => {
  const csv = () => new RowSplitter('f.csv', { delimiter: ',', quotes: true })
  const tsv = () => new RowSplitter('f.tsv', { delimiter: '\t', quotes: false })

  it.each<[text: string, rows: [values: string[], line: number][]]>([
    [
      'a,b\n1,2',
      [
        [['a', 'b'], 1],
        [['1', '2'], 2],
      ],
    ],
    [
      'a,b\r\n\r\n1,\r\n',
      [
        [['a', 'b'], 1],
        [['1', ''], 3],
      ],
    ],
    [
      '"x\r\ny",1\r\n"say ""hi""",2\n',
      [
        [['x\r\ny', '1'], 1],
        [['say "hi"', '2'], 3],
      ],
    ],
    [
      '""\n\n"a"\n',
      [
        [[''], 1],
        [['a'], 3],
      ],
    ],
    [',\n', [[['', ''], 1]]],
    ['5" disk,it\'s "so"\n', [[['5" disk', 'it\'s "so"'], 1]]],
    ['"a,b","","c"', [[['a,b', '', 'c'], 1]]],
  ])('reads %j', (content, expected) => {
    expect(splitAll(csv(), content)).toEqual(expected.map(([values, line]) => ({ values, line })))
  })

  it('takes quotes of tab-separated text for characters', () => {
    expect(splitAll(tsv(), '"a\tb"\r\n"\t\n')).toEqual([
      { values: ['"a', 'b"'], line: 1 },
      { values: ['"', ''], line: 2 },
    ])
  })

  it('reads what a writer wrote, in whatever pieces it comes', () => {
    const value = text(',', '"', '\n', '\r', '\t')
    const row = fc.tuple(fc.array(value, { minLength: 1, maxLength: 4 }), lineEnd, fc.nat(2))
    fc.assert(
      fc.property(fc.array(row), pieceLengths, (table, lengths) => {
        let line = 1
        let content = ''
        const expected = table.map(([values, end, emptyLines]) => {
          content += end.repeat(emptyLines)
          line += emptyLines
          const written = `${values.map((item) => `"${item.replaceAll('"', '""')}"`).join(',')}${end}`
          content += written
          line += linesIn(written)
          return { values, line: line - linesIn(written) }
        })
        expect(splitAll(csv(), content, lengths)).toEqual(expected)
      }),
    )
  })

  it.each([
    ['a,b\n1,"x\ny" z\n', 'f.csv:3: expected a delimiter or the end of the line behind a closing quote, got " z"'],
    ['a\n\n"x"y"\n', 'f.csv:3: expected a delimiter'],
    ['a,b\n1,2\n"p\nq","open\n3,4\n', 'f.csv:4: the quote that opens a value here is not closed'],
  ])('names the line that is wrong in %j', (content, message) => {
    expect(() => splitAll(csv(), content)).toThrow(DataError)
    expect(() => splitAll(csv(), content, [2])).toThrow(message)
  })
})

describe('JsonArraySplitter', () => {
  const parse = (content: string, lengths?: readonly number[]) =>
    splitAll(new JsonArraySplitter('f.json'), content, lengths).map((value) => parseJson(value, 'f.json'))

  it('reads what a writer wrote, in whatever pieces it comes', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(0, 2), pieceLengths, (values, indent, lengths) => {
        expect(parse(JSON.stringify(values, null, indent), lengths)).toEqual(JSON.parse(JSON.stringify(values)))
      }),
    )
  })

  it('is not confused by brackets and quotes in strings', () => {
    const content = String.raw`[ "a]\"", {"k": "},[\\"} ,["\\\\", 1]]  `
    expect(parse(content, [1])).toEqual(['a]"', { k: '},[\\' }, ['\\\\', 1]])
    expect(parse('[]')).toEqual([])
    expect(parse(' [\n] \n')).toEqual([])
  })

  it('says in which line a value begins', () => {
    const values = splitAll(new JsonArraySplitter('f.json'), '[\n{"a":\n1},\n\n "b"]')
    expect(values.map(({ line }) => line)).toEqual([2, 5])
  })

  it.each([
    ['{"a": 1}', 'f.json:1: expected a JSON array: unexpected character "{"'],
    ['[1,\n2', 'f.json:2: expected a JSON array: the text ends too early'],
    ['[1,\n\n,2]', 'f.json:3: expected a JSON array: unexpected character ","'],
    ['[1,\n]', 'f.json:2: expected a JSON array: unexpected character "]"'],
    ['[1]\n[2]', 'f.json:2: expected a JSON array: unexpected character "["'],
    ['[1}]', 'f.json:1: expected a JSON array: unexpected character "}"'],
    ['[{"a": 1,\n  "b": x}]', 'f.json:2:8: expected JSON: unexpected character "x"'],
    ['[\n\n  nul]', 'f.json:3: expected JSON: unexpected character "n"'],
    ['', 'f.json:1: expected a JSON array: the text ends too early'],
  ])('names the place that is wrong in %j', (content, message) => {
    expect(() => parse(content)).toThrow(DataError)
    expect(() => parse(content, [1])).toThrow(message)
  })
})
