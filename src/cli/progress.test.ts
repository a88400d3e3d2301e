import { describe, expect, it } from 'vitest'
import { formatCount, formatDuration, formatProgress, Progress } from './progress.js'

/** A stream that keeps what is written, and a clock that is moved by hand. */
function setUp(terminal: { isTTY?: boolean; columns?: number }) {
  const written: string[] = []
  const clock = { time: 5000 }
  const stream = { ...terminal, write: (text: string) => written.push(text) }
  return { written, clock, progress: new Progress({ stream, now: () => clock.time }) }
}

const clear = '\r\u001b[K'
const state = {
  step: 500,
  total: 2000,
  loss: 1.87654,
  validationLoss: 2.01,
  learningRate: 9.3e-4,
  tokensPerSecond: 12_345,
  secondsLeft: 65,
}

describe('formatProgress', () => {
  it('shows every figure where there is room', () => {
    expect(formatProgress(state, 120)).toBe(
      'step 500/2000  [#####...............]  25%  loss 1.8765  validation 2.0100  lr 9.30e-4  12.3k tokens/s  1m 05s left',
    )
    expect(formatProgress(state, Number.POSITIVE_INFINITY)).toBe(
      'step 500/2000  25%  loss 1.8765  validation 2.0100  lr 9.30e-4  12.3k tokens/s  1m 05s left',
    )
    expect(formatProgress({ step: 7 }, 80)).toBe('step 7')
  })

  it.each([
    [
      115,
      'step 500/2000  [#####...............]  25%  loss 1.8765  validation 2.0100  lr 9.30e-4  12.3k tokens/s  1m 05s left',
    ],
    [91, 'step 500/2000  25%  loss 1.8765  validation 2.0100  lr 9.30e-4  12.3k tokens/s  1m 05s left'],
    [79, 'step 500/2000  25%  loss 1.8765  validation 2.0100  12.3k tokens/s  1m 05s left'],
    [63, 'step 500/2000  25%  loss 1.8765  validation 2.0100  1m 05s left'],
    [44, 'step 500/2000  25%  loss 1.8765  1m 05s left'],
    [39, 'step 500/2000  loss 1.8765  1m 05s left'],
    [26, 'step 500/2000  loss 1.8765'],
    [13, 'step 500/2000'],
    [5, 'step '],
  ])('drops the least important parts to fit into %d columns', (width, line) => {
    expect(formatProgress(state, width)).toBe(line)
    if (width > 13) expect(formatProgress(state, width - 1).length).toBeLessThan(width - 1)
  })

  it('never promises more than 100 % and says when the loss is not a number', () => {
    expect(formatProgress({ step: 30, total: 20, loss: Number.NaN }, 80)).toBe(
      'step 30/20  [####################]  100%  loss NaN',
    )
  })
})

describe('formatDuration and formatCount', () => {
  it.each([
    [0, '0s'],
    [0.04, '0s'],
    [0.42, '0.4s'],
    [0.97, '1s'],
    [45.4, '45s'],
    [59.6, '1m 00s'],
    [65, '1m 05s'],
    [3599.4, '59m 59s'],
    [3600, '1h 00m'],
    [7384, '2h 03m'],
    [273_600, '3d 04h'],
    [Number.POSITIVE_INFINITY, '?'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text)
  })

  it.each([
    [0, '0'],
    [999.4, '999'],
    [999.6, '1k'],
    [12_345, '12.3k'],
    [999_600, '1M'],
    [4_560_000, '4.56M'],
    [2e9, '2G'],
  ])('%d is %s', (count, text) => {
    expect(formatCount(count)).toBe(text)
  })
})

describe('Progress on a terminal', () => {
  it('rewrites one line, at most every 100 ms, and ends with the last figures', () => {
    const { written, clock, progress } = setUp({ isTTY: true, columns: 80 })
    progress.update({ step: 1, total: 10 })
    clock.time += 99
    progress.update({ step: 2 })
    expect(written).toEqual([`${clear}step 1/10  [##..................]  10%`])
    clock.time += 1
    progress.update({ step: 3 })
    expect(written[1]).toBe(`${clear}step 3/10  [######..............]  30%  0.4s left`) // 2 steps in 0.1 s, 7 to go
    progress.update({ step: 10 })
    expect(written).toHaveLength(2)
    progress.finish()
    expect(written.slice(2)).toEqual([`${clear}step 10/10  [####################]  100%  0s left`, '\n'])
    progress.finish()
    expect(written).toHaveLength(4)
  })

  it('shows an evaluation at once and keeps it', () => {
    const { written, clock, progress } = setUp({ isTTY: true, columns: 60 })
    progress.update({ step: 1 })
    progress.update({ validationLoss: 2.5 })
    expect(written[1]).toBe(`${clear}step 1  validation 2.5000`)
    clock.time += 100
    progress.update({ step: 2, validationLoss: undefined })
    expect(written[2]).toBe(`${clear}step 2  validation 2.5000`)
  })

  it('leaves one column free', () => {
    const { written, progress } = setUp({ isTTY: true, columns: 26 })
    progress.update({ step: 500, total: 2000, loss: 1.5 }) // 'step 500/2000  loss 1.5000' is 26 wide
    expect(written).toEqual([`${clear}step 500/2000`])
  })

  it('counts the speed in what it is told', () => {
    const { written, progress } = setUp({ isTTY: true, columns: 80 })
    progress.countIn('examples')
    progress.update({ step: 1, tokensPerSecond: 95 })
    expect(written).toEqual([`${clear}step 1  95 examples/s`])
  })

  it('shows what comes before the first step, and clears it', () => {
    const { written, clock, progress } = setUp({ isTTY: true, columns: 80 })
    progress.prepare('tokenizing', { done: 0, total: 4e9 })
    clock.time += 100
    progress.prepare('tokenizing', { done: 1e9, total: 4e9 })
    progress.note('20M parameters')
    progress.update({ step: 1 })
    expect(written).toEqual([`${clear}tokenizing  25%  1GB of 4GB`, clear, '20M parameters\n', `${clear}step 1`])
  })

  it('keeps notes above the line', () => {
    const { written, progress } = setUp({ isTTY: true, columns: 80 })
    progress.note('hello')
    progress.update({ step: 1 })
    progress.note('saved')
    expect(written).toEqual(['hello\n', `${clear}step 1`, clear, 'saved\n', `${clear}step 1`])
  })

  it('counts the pace of a resumed run from where it went on', () => {
    const { written, clock, progress } = setUp({ isTTY: true, columns: 80 })
    clock.time += 60_000
    progress.update({ step: 100, total: 200 })
    clock.time += 10_000
    progress.update({ step: 110 })
    expect(written[1]).toContain('1m 30s left') // 1 s a step, 90 to go
  })
})

describe('Progress without a terminal', () => {
  it('prints plain lines every 5 % or 10 s and for evaluations', () => {
    const { written, clock, progress } = setUp({})
    for (let step = 1; step <= 100; step++) progress.update({ step, total: 100, secondsLeft: 1 })
    expect(written).toHaveLength(20)
    expect(written[1]).toBe('step 6/100  6%  1s left\n')
    written.length = 0
    progress.update({ step: 101, total: 10_000 })
    clock.time += 9999
    progress.update({ step: 102 })
    expect(written).toEqual([])
    clock.time += 1
    progress.update({ step: 103 })
    expect(written).toEqual(['step 103/10000  1%  1s left\n'])
    progress.update({ validationLoss: 3 })
    expect(written).toHaveLength(2)
    progress.note('saved')
    progress.finish()
    expect(written.slice(2)).toEqual(['saved\n'])
  })

  it('prints the last figures at the end', () => {
    const { written, clock, progress } = setUp({})
    progress.update({ step: 1, total: 1000 })
    clock.time += 1000
    progress.update({ step: 2 })
    progress.finish()
    expect(written).toEqual(['step 1/1000  0%\n', 'step 2/1000  0%  16m 38s left\n'])
  })
})
