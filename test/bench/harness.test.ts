import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Competitor, formatMachine, formatTable, interleave, summarize } from '../../bench/harness.js'

afterEach(() => vi.restoreAllMocks())

/** A clock for the sides, in seconds: only a side's turn moves it on. */
class Clock {
  now = 0

  constructor() {
    vi.spyOn(performance, 'now').mockImplementation(() => this.now * 1000)
  }
}

/** A side that keeps `busy` cores busy in its own turns and `spinning` cores in those of the others. */
function scripted(
  name: string,
  {
    clock,
    log,
    times,
    busy = 0,
    spinning = 0,
  }: { clock: Clock; log: string[]; times: number[]; busy?: number; spinning?: number },
): Competitor {
  let own = 0
  return {
    name,
    turn: async (steps) => {
      log.push(`${name} ${steps}`)
      const seconds = times.splice(0, steps)
      const wall = seconds.reduce((sum, each) => sum + each, 0)
      own += wall
      clock.now += wall
      const phases = name === 'A' ? { optimizer: seconds.map((each) => each / 4) } : undefined
      return { seconds, phases, peakRss: 0, loss: clock.now }
    },
    cpuSeconds: () => busy * own + spinning * (clock.now - own),
    peakMemory: () => 123,
  }
}

describe('interleave', () => {
  it('lets the sides take turns and keeps their times apart', async () => {
    const clock = new Clock()
    const log: string[] = []
    const a = scripted('A', { clock, log, times: [1, 2, 3, 4] })
    const b = scripted('B', { clock, log, times: [5, 6, 7, 8] })
    const turns: number[][] = []
    const onGroup = (group: number, last: readonly { seconds: readonly number[] }[]) =>
      turns.push([group, ...last.map(({ seconds }) => seconds[1])])
    const [first, second] = await interleave([a, b], { groups: 2, steps: 2, onGroup })
    expect(log).toEqual(['A 2', 'B 2', 'A 2', 'B 2'])
    expect(first.groups).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(second.groups).toEqual([
      [5, 6],
      [7, 8],
    ])
    expect(turns).toEqual([
      [0, 2, 6],
      [1, 4, 8],
    ])
    expect(first.phases).toEqual({ optimizer: [0.25, 0.5, 0.75, 1] })
    expect(second.phases).toEqual({})
    expect(second.loss).toBe(36)
  })

  it('gives each side its own number of steps', async () => {
    const clock = new Clock()
    const log: string[] = []
    const a = scripted('A', { clock, log, times: [1, 2, 3, 4] })
    const b = scripted('B', { clock, log, times: [5, 6] })
    const [first, second] = await interleave([a, b], { groups: 2, steps: [2, 1] })
    expect(log).toEqual(['A 2', 'B 1', 'A 2', 'B 1'])
    expect([first.groups, second.groups]).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
      [[5], [6]],
    ])
  })

  it('tells how many cores each side takes in its own turns and in those of the others', async () => {
    const clock = new Clock()
    const log: string[] = []
    const a = scripted('A', { clock, log, times: [1, 1, 2], busy: 1.5, spinning: 0.25 })
    const b = scripted('B', { clock, log, times: [3, 5, 3], busy: 2 })
    const [first, second] = await interleave([a, b], { groups: 3, steps: 1 })
    expect(first.coresUsed).toBeCloseTo(1.5, 12)
    expect(first.coresUsedIdle).toBeCloseTo(0.25, 12)
    expect(second.coresUsed).toBeCloseTo(2, 12)
    expect(second.coresUsedIdle).toBe(0)
  })

  it('does not know the cores where the system does not count them, nor an idle side that was alone', async () => {
    const clock = new Clock()
    const uncounted = { ...scripted('A', { clock, log: [], times: [1] }), cpuSeconds: () => undefined }
    const [alone] = await interleave([uncounted], { groups: 1, steps: 1 })
    expect(alone.coresUsed).toBeUndefined()
    expect(alone.coresUsedIdle).toBeUndefined()
    expect(summarize(alone).coresUsed).toBeNull()
  })
})

describe('summarize', () => {
  it('takes medians over all steps', () => {
    const measurement = {
      name: 'A',
      groups: [
        [5, 1],
        [2, 4],
      ],
      phases: { batch: [4, 1, 1, 2] },
      peakMemory: 7,
      coresUsed: 2,
      coresUsedIdle: 0,
      loss: 3,
    }
    expect(summarize(measurement)).toEqual({
      median: 3,
      best: 1,
      phases: { batch: 1.5 },
      peakMemory: 7,
      coresUsed: 2,
      coresUsedIdle: 0,
      loss: 3,
    })
  })
})

describe('formatTable', () => {
  it('aligns the columns', () => {
    const rows = [
      ['', 'ms'],
      ['Heddle', '1.5'],
      ['Py', '10.5'],
    ]
    expect(formatTable(rows)).toBe(['          ms', 'Heddle   1.5', 'Py      10.5'].join('\n'))
  })
})

describe('formatMachine', () => {
  const machine = { processor: 'P', cores: 2, memory: 2 ** 33, system: 'linux', node: '20' }

  it('warns where the machine was busy before the benchmark', () => {
    expect(formatMachine({ ...machine, loadAverage: [1.5, 2] })).toContain('was busy')
    expect(formatMachine({ ...machine, loadAverage: [0.1, 2] })).toBe(
      'P, 2 cores, 8 GB; linux; Node 20; load average 0.1 before, 2.0 after',
    )
  })
})
