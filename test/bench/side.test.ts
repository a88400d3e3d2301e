import { describe, expect, it } from 'vitest'
import { BenchmarkError, Side } from '../../bench/side.js'

/** A side whose process runs `body` for each line of its input, after saying that it is ready. */
function start(body: string): Promise<Side> {
  const program = `
    const answer = (value) => console.log(JSON.stringify(value))
    answer({ ready: true, version: '1', parameters: 2 })
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => { ${body} })`
  return Side.start({ name: 'fake', command: process.execPath, arguments: ['-e', program] })
}

const turn = `answer({ seconds: Array(JSON.parse(line).steps).fill(0.5), peakRss: 1, loss: 3 })`

describe('Side', () => {
  it('asks a process for steps and ends it', async () => {
    const side = await start(turn)
    expect(side.ready.parameters).toBe(2)
    expect((await side.turn(3)).seconds).toEqual([0.5, 0.5, 0.5])
    await side.stop()
    await expect(side.turn(1)).rejects.toThrow(BenchmarkError)
  })

  it.runIf(process.platform === 'linux')('counts the processor time and the memory of the process alone', async () => {
    const bytes = 300 * 2 ** 20
    const side = await start(`
      const block = Buffer.alloc(${bytes}, 1)
      while (process.cpuUsage().user < 300_000);
      const { user, system } = process.cpuUsage()
      answer({ seconds: [(user + system) / 1e6], peakRss: 1, loss: block[0] })`)
    const { seconds } = await side.turn(1)
    // The system counts in hundredths of a second, for user and system time each.
    expect(Math.abs(side.cpuSeconds()! - seconds[0])).toBeLessThan(0.05)
    expect(side.peakMemory()).toBeGreaterThan(bytes)
    expect(side.peakMemory()).toBeLessThan(bytes + 200 * 2 ** 20)
    await side.stop()
  })

  it.each([
    ['a command that does not exist', '/no/such/command', [], "'/no/such/command' could not be started"],
    ['a first line that is something else', process.execPath, ['-e', 'console.log("hello")'], 'not understood: hello'],
    [
      'an end before the first line',
      process.execPath,
      ['-e', 'throw "no torch"'],
      /before it answered:[\s\S]*no torch/,
    ],
  ])('reports %s', async (_, command, words, message) => {
    await expect(Side.start({ name: 'fake', command, arguments: words })).rejects.toThrow(message)
  })

  it.each([
    ['ends', 'console.error("out of memory"); process.exit(9)', 'fake ended before it answered:\nout of memory'],
    ['answers too few steps', 'answer({ seconds: [1], peakRss: 1, loss: 3 })', 'expected the times of 2 steps, got 1'],
    ['answers without a loss', 'answer({ seconds: [1, 1], peakRss: 1 })', 'not understood'],
  ])('reports a process that %s in its turn', async (_, body, message) => {
    const side = await start(body)
    await expect(side.turn(2)).rejects.toThrow(message)
    await side.stop()
  })
})
