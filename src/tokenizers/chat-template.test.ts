import { describe, expect, it } from 'vitest'
import { ChatTemplate, defaultChatTemplate } from './chat-template.js'

const messages = [
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello!' },
  { role: 'user', content: 'Bye' },
  { role: 'assistant', content: 'So long.' },
]

describe('ChatTemplate', () => {
  it('tells answers from the rest', () => {
    const pieces = new ChatTemplate(defaultChatTemplate, '</s>').pieces(messages)
    expect(pieces).toEqual([
      { text: '<|user|>\nHi</s>\n<|assistant|>\n', isAnswer: false },
      { text: 'Hello!</s>\n', isAnswer: true },
      { text: '<|user|>\nBye</s>\n<|assistant|>\n', isAnswer: false },
      { text: 'So long.</s>\n', isAnswer: true },
    ])
  })

  it('begins the next answer', () => {
    const text = new ChatTemplate(defaultChatTemplate, '</s>').render(messages.slice(0, 1), true)
    expect(text).toBe('<|user|>\nHi</s>\n<|assistant|>\n')
  })

  it('refuses templates that are not valid, or rewrite what they wrote', () => {
    expect(() => new ChatTemplate('{% for %}', '')).toThrow(/not valid Jinja/)
    const rewriting = new ChatTemplate('{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}', '')
    expect(() => rewriting.pieces(messages)).toThrow(/does not begin like the shorter one/)
  })
})
