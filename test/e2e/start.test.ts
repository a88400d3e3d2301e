import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root, start, temporaryFolder } from './command.js'

const at = temporaryFolder()
const script = join(root, 'scripts/start.mjs')
const small = ['train.steps=3', 'model.layers=1', 'model.width=16', 'model.contextLength=16']

describe('npm start', () => {
  it('trains, shows three continuations, and names commands that work', async () => {
    const { code, stdout, stderr } = await start(process.execPath, [script, ...small], { cwd: at() }).ended
    expect(code).toBe(0)
    expect(stderr).toMatch(/^step 3\/3 {2}100% .*validation/m)
    expect(stdout).toContain('3 steps: validation loss ')
    expect([...stdout.matchAll(/^— (greedy|sampling|beam search).*\nThe old captain/gm)]).toHaveLength(3)

    const commands = [...stdout.matchAll(/^ {2}node (.*)$/gm)].map(([, words]) => words)
    expect(commands.map((words) => words.split(' ')[1])).toEqual(['generate', 'inspect', 'eval', 'train', 'train'])
    for (const words of commands) {
      // As they stand, the last two train for minutes.
      const line = words
        .replace('train.minutes=10', small.join(' '))
        .replace('data.train=FILE', `data.train=runs/data/moby-dick.txt ${small.join(' ')}`)
      const outcome = await start('bash', ['-c', `node ${line} --json`], { cwd: at() }).ended
      expect(outcome).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\{.*\}\n$/) })
    }
    expect(existsSync(at('runs/mine/run.json'))).toBe(true)
    expect(existsSync(at('runs/moby-dick-longer/run.json'))).toBe(true)
  })

  it('learns from the novel alone', () => {
    const text = readFileSync(at('runs/data/moby-dick.txt'), 'utf8')
    expect(text).toMatch(/^Call me Ishmael\. /)
    expect(text).toMatch(/\S\n$/)
    // Letters, digits and punctuation of English; whatever else there was is in the front matter.
    expect(text).toMatch(/^[\n -~—Œ]*$/)
    expect(readFileSync(at('runs/data/moby-dick-validation.txt'), 'utf8')).toContain('only found another orphan.\n')
    expect(text).not.toContain('only found another orphan.')
  })

  it('leaves the first run as it is when it is run again', async () => {
    const before = readFileSync(at('runs/moby-dick/run.json'), 'utf8')
    const { code, stdout } = await start(process.execPath, [script, ...small], { cwd: at() }).ended
    expect(code).toBe(0)
    expect(stdout).toContain('runs/moby-dick-2/checkpoint-3')
    expect(readFileSync(at('runs/moby-dick/run.json'), 'utf8')).toBe(before)
  })

  it('goes on with what was learned after Ctrl-C', async () => {
    const running = start(process.execPath, [script, ...small, 'train.steps=100000'], { cwd: at() })
    await running.says(/^step \d+\/100000/m)
    running.process.kill('SIGINT')
    const { code, stdout } = await running.ended
    expect(code).toBe(0)
    expect(stdout).toContain('— beam search')
  })
})
