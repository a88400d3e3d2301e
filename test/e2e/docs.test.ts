import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root, start, temporaryFolder } from './command.js'

const at = temporaryFolder()

describe('npm run docs', () => {
  it('writes a page for each export, from its docstring', async () => {
    const out = at('docs')
    const { code, stdout, stderr } = await start('npm', ['run', 'docs', '--', '--out', out], { cwd: root }).ended
    expect(code, stdout + stderr).toBe(0)
    const page = (name: string) => readFileSync(join(out, name), 'utf8').replace(/<[^>]+>/g, '')
    expect(page('classes/models.GPT.html')).toContain('GPT-2 as a language model')
    expect(page('functions/autodiff.gradients.html')).toContain('Throws')
    expect(page('classes/training.Trainer.html')).toContain('Makes one update')
  })
})
