import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import { readChatTemplate } from './chat-template-file.js'

const root = mkdtempSync(join(tmpdir(), 'heddle-template-'))
afterAll(() => rmSync(root, { recursive: true }))

function checkpoint(files: Record<string, string>): string {
  const directory = mkdtempSync(join(root, 'checkpoint-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  return directory
}

const config = (chat_template: unknown) => ({ 'tokenizer_config.json': JSON.stringify({ chat_template }) })

describe('readChatTemplate', () => {
  it('takes the text in tokenizer_config.json', () => {
    expect(readChatTemplate(checkpoint(config('{{ messages }}')))).toBe('{{ messages }}')
  })

  it('takes the default of several named ones', () => {
    const templates = [
      { name: 'tool_use', template: 'a' },
      { name: 'default', template: 'b' },
    ]
    expect(readChatTemplate(checkpoint(config(templates)))).toBe('b')
  })

  it('prefers a file of its own', () => {
    const directory = checkpoint({ ...config('a'), 'chat_template.jinja': 'b\n' })
    expect(readChatTemplate(directory)).toBe('b\n')
  })

  it('finds none where there is none', () => {
    expect(readChatTemplate(checkpoint({}))).toBeUndefined()
    expect(readChatTemplate(checkpoint(config(null)))).toBeUndefined()
  })

  it('names a damaged file', () => {
    const directory = checkpoint({ 'tokenizer_config.json': '{"chat_template": ' })
    expect(() => readChatTemplate(directory)).toThrow(CheckpointError)
  })
})
