import { EventEmitter } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { DataError, TrainingError, UsageError } from '../errors.js'
import {
  describeError,
  exitCodeOf,
  nonNegativeInteger,
  number,
  parseIds,
  positiveInteger,
  surviveBrokenPipes,
  toJson,
} from './output.js'

describe('toJson', () => {
  it('is one line of standard JSON', () => {
    const value = {
      loss: Number.NaN,
      limit: -Infinity,
      ids: BigInt64Array.of(1n, 2n),
      x: Float32Array.of(0.5, Infinity),
      n: 3n,
      t: 'a\nb',
    }
    expect(toJson(value)).toBe('{"loss":null,"limit":null,"ids":[1,2],"x":[0.5,null],"n":3,"t":"a\\nb"}')
  })
})

describe('option parsers', () => {
  it('parse numbers', () => {
    expect(positiveInteger('12')).toBe(12)
    expect(nonNegativeInteger('0')).toBe(0)
    expect(number('-1.5e-3')).toBe(-0.0015)
    expect(number('.5')).toBe(0.5)
    expect(parseIds('1,2,3')).toEqual([1, 2, 3])
    expect(parseIds(' 1, 2 ,50256 7 ')).toEqual([1, 2, 50256, 7])
  })

  it.each([
    [positiveInteger, ['0', '-1', '1.5', 'x', '', ' ', '0x10', 'Infinity', '1e30']],
    [nonNegativeInteger, ['-1', '0.5', '']],
    [number, ['', 'NaN', 'Infinity', '1,5', '0x10', '1e999']],
    [parseIds, ['', '1,,2', '1,a', '-1', '1.5', '1,2,', '99999999999999999999']],
  ])('%o refuses what is not one', (parse, texts) => {
    for (const text of texts) expect(() => parse(text)).toThrow(UsageError)
  })

  it('says which id is wrong', () => {
    expect(() => parseIds('1,2,x')).toThrow('got "x" at position 3')
  })
})

describe('errors', () => {
  it('become one line and an exit code', () => {
    expect(describeError(new DataError('a\n  b'))).toBe('a b')
    expect(describeError(new TypeError('oops'))).toBe('oops (unexpected: --debug shows where)')
    expect(describeError('text')).toBe('text (unexpected: --debug shows where)')
    const errors = [new DataError('x'), new UsageError('x'), new TrainingError('x'), new Error('x'), 'x']
    expect(errors.map(exitCodeOf)).toEqual([3, 2, 1, 1, 1])
  })
})

describe('surviveBrokenPipes', () => {
  it('exits when nobody reads the output and goes on when nobody reads the messages', () => {
    const streams = { stdout: new EventEmitter(), stderr: new EventEmitter() }
    const codes: number[] = []
    surviveBrokenPipes(streams, (code) => codes.push(code))
    const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
    streams.stderr.emit('error', broken)
    expect(codes).toEqual([])
    streams.stdout.emit('error', broken)
    expect(codes).toEqual([0])
    const message = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    streams.stdout.emit('error', Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }))
    expect(message.mock.calls).toEqual([['heddle: cannot write to standard output: ENOSPC: no space left\n']])
    message.mockRestore()
    expect(codes).toEqual([0, 1])
  })
})
