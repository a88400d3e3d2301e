import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findJsonProblem, lineAndColumn } from './json.js'

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('findJsonProblem', () => {
  it('accepts what JSON.parse accepts and nothing else', () => {
    const document = fc.json({ depthSize: 'small' })
    const mutation = fc.record({
      at: fc.nat(),
      count: fc.nat(2),
      insert: fc.constantFrom('', '{', ']', ',', ':', '"', '\\', '0', '-', 'e', ' ', '\n', 'null'),
    })
    fc.assert(
      fc.property(document, mutation, (text, { at, count, insert }) => {
        const start = at % (text.length + 1)
        const changed = text.slice(0, start) + insert + text.slice(start + count)
        const problem = findJsonProblem(changed)?.problem
        if (!problem?.startsWith('duplicate')) expect(problem === undefined).toBe(parses(changed))
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['{"a": 1,}', 8, 'unexpected character "}"'],
    ['[1, 2', 5, 'the text ends too early'],
    ['{"a": tru}', 6, 'unexpected character "t"'],
    ['{"a" 1}', 5, 'unexpected character "1"'],
    ['["a\\x"]', 3, 'unexpected character "\\\\"'],
    ['[1] 2', 4, 'unexpected character "2"'],
    ['', 0, 'the text ends too early'],
    ['{"a": {"b": 1, "\\u0062": 2}}', 15, 'duplicate key "b"'],
  ])('says where %s is wrong', (text, offset, problem) => {
    expect(findJsonProblem(text)).toEqual({ offset, problem })
  })

  it('allows one key in two objects', () => {
    expect(findJsonProblem('[{"a": {"a": 1}}, {"a": 2}]')).toBeUndefined()
  })

  it('survives very long strings and deep nesting', () => {
    expect(findJsonProblem(`{"${'\\n'.repeat(1e6)}": ${'['.repeat(1e5)}1${']'.repeat(1e5)}}`)).toBeUndefined()
  })
})

describe('lineAndColumn', () => {
  it('counts both from 1', () => {
    expect(lineAndColumn('ab\ncd', 0)).toBe('1:1')
    expect(lineAndColumn('ab\ncd', 2)).toBe('1:3')
    expect(lineAndColumn('ab\ncd', 4)).toBe('2:2')
  })
})
