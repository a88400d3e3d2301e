import { describe, expect, it } from 'vitest'
import { DownloadDisplay } from './download-display.js'

/** A stream that keeps what is written, and a clock that is moved by hand. */
function setUp(terminal: { isTTY?: boolean; columns?: number }) {
  const written: string[] = []
  const clock = { time: 5000 }
  const stream = { ...terminal, write: (text: string) => written.push(text) }
  return { written, clock, display: new DownloadDisplay({ stream, now: () => clock.time }) }
}

const size = 4_000_000_000

describe('DownloadDisplay', () => {
  it('writes plain lines for files that are done, and for others every ten seconds', () => {
    const { written, clock, display } = setUp({})
    display.update({ file: 'a.json', received: 22, size: 22, done: false })
    display.update({ file: 'a.json', received: 22, size: 22, done: true })
    display.update({ file: 'model', received: 1_000_000_000, size, done: false })
    clock.time += 9999
    display.update({ file: 'model', received: 1_100_000_000, size, done: false })
    clock.time += 1
    display.update({ file: 'model', received: 1_500_000_000, size, done: false })
    display.update({ file: 'model', received: 1_500_000_001, size, done: false })
    clock.time += 55_000
    display.update({ file: 'model', received: size, size, done: true })
    expect(written).toEqual([
      'a.json  22B\n',
      // 500 MB in 10 s.
      'model  37%  1.5GB of 4GB  50MB/s  50s left\n',
      'model  4GB in 1m 05s\n',
    ])
  })

  it('rewrites a line for each file on a terminal, no wider than that', () => {
    const { written, clock, display } = setUp({ isTTY: true, columns: 30 })
    display.update({ file: 'a', received: 0, size: 100, done: false })
    display.update({ file: 'b', received: 10, size: undefined, done: false })
    clock.time += 100
    display.update({ file: 'b', received: 30, size: undefined, done: false })
    expect(written).toEqual(['a  0%  0B of 100B\n', '\u001b[1A\r\u001b[J', 'a  0%  0B of 100B\n', 'b  30B  200B/s\n'])
    written.length = 0
    display.update({ file: 'a', received: 100, size: 100, done: true })
    expect(written).toEqual(['\u001b[2A\r\u001b[J', 'a  100B\n', 'b  30B  200B/s\n'])
    written.length = 0
    display.finish()
    display.finish()
    expect(written).toEqual(['\u001b[1A\r\u001b[J'])
    written.length = 0
    display.update({ file: 'a long name of a file.safetensors', received: 1, size: 2, done: false })
    clock.time += 100
    display.note('note')
    expect(written.at(-1)).toBe('a long name of a file.safeten\n')
  })

  it('counts the speed from what an earlier download has left', () => {
    const { written, clock, display } = setUp({})
    display.update({ file: 'm', received: 500, size: 1000, done: false })
    display.update({ file: 'm', received: 0, size: 1000, done: false })
    clock.time += 10_000
    display.update({ file: 'm', received: 100, size: 1000, done: false })
    expect(written).toEqual(['m  10%  100B of 1kB  10B/s  1m 30s left\n'])
  })
})
