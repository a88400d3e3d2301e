import { describe, expect, it } from 'vitest'
import { CheckpointError } from '../../errors.js'
import { BYTE_CHARACTERS, toByteCharacters } from '../../tokenizers/byte-level.js'
import { createTokenizer } from '../../tokenizers/node.js'
import { memorySource } from './byte-source.js'
import { flag, float32s, ggufFile, int32s, type TypedValue, text, texts, uint32 } from './gguf.testing.js'
import { readGgufTokenizer } from './tokenizer.js'

/** All bytes, a merge or two, and two special tokens. */
const tokens = [...BYTE_CHARACTERS, 'he', 'Ġhe', '<|end|>', '<tool>']
const [he, end, tool] = [256, 258, 259]
const bytePair: Readonly<Record<string, TypedValue>> = {
  'tokenizer.ggml.model': text('gpt2'),
  'tokenizer.ggml.pre': text('gpt-2'),
  'tokenizer.ggml.tokens': texts(tokens),
  'tokenizer.ggml.token_type': int32s(tokens.map((_, id) => (id === end ? 3 : id === tool ? 4 : 1))),
  'tokenizer.ggml.merges': texts(['h e', 'Ġ he']),
  'tokenizer.ggml.eos_token_id': uint32(end),
  'tokenizer.ggml.bos_token_id': uint32(end),
}

function open(changes: Readonly<Record<string, TypedValue>>) {
  const { text, specialTokens } = readGgufTokenizer(memorySource(ggufFile({ ...bytePair, ...changes }), 'x.gguf'))
  return createTokenizer(text, { specialTokens })
}

/** The words that a tokenizer cuts a text into before it looks tokens up. */
async function wordsOf(pre: string, given: string): Promise<string[]> {
  const { words, offsets } = await open({ 'tokenizer.ggml.pre': text(pre) }).encode(given, { addSpecialTokens: false })
  const spans = new Map<number, [number, number]>()
  for (const [i, word] of words.entries()) {
    const [start, stop] = spans.get(word) ?? offsets[i]
    spans.set(word, [Math.min(start, offsets[i][0]), Math.max(stop, offsets[i][1])])
  }
  return [...spans.values()].map(([start, stop]) => given.slice(start, stop))
}

describe('a byte-level tokenizer from a GGUF file', () => {
  it('merges bytes, finds special tokens and ends texts where the file says so', async () => {
    const tokenizer = open({ 'tokenizer.ggml.add_eos_token': flag(true) })
    const byte = (character: string) => BYTE_CHARACTERS.indexOf(toByteCharacters(character))
    const { ids } = await tokenizer.encode('he he<|end|>é<tool>')
    const [first, second] = [...toByteCharacters('é')].map((character) => BYTE_CHARACTERS.indexOf(character))
    expect(ids).toEqual([he, he + 1, end, first, second, tool, end])
    expect(tokenizer.eosTokenId).toBe(end)
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('he heé<tool>')
    expect((await open({}).encode('x')).ids).toEqual([byte('x')])
    expect((await open({ 'tokenizer.ggml.add_bos_token': flag(true) }).encode('x')).ids).toEqual([end, byte('x')])
  })

  it.each([
    ['gpt-2', "I've 1234 cats'LL\r\n  go!!\n", ['I', "'ve", ' 1234', ' cats', "'", 'LL', '\r\n ', ' go', '!!', '\n']],
    ['smollm', 'x 1234  y', ['x', ' ', '1', '2', '3', '4', ' ', ' y']],
    ['llama-bpe', "I'VE 1234 cats!\r\n  go", ['I', "'VE", ' ', '123', '4', ' cats', '!\r\n', ' ', ' go']],
    ['qwen2', "it's 12 (ok)\n\n", ['it', "'s", ' ', '1', '2', ' (', 'ok', ')\n\n']],
    ['tekken', "HelloWorld it's 12/", ['Hello', 'World', ' it', "'s", ' ', '1', '2', '/']],
  ])('cuts texts as %s does', async (pre, given, expected) => {
    expect(await wordsOf(pre, given)).toEqual(expected)
  })

  it("begins texts as llama.cpp does with Llama 3's", async () => {
    const tokenizer = open({ 'tokenizer.ggml.pre': text('llama-bpe') })
    expect((await tokenizer.encode('he')).ids).toEqual([end, he])
  })

  it.each<[Readonly<Record<string, TypedValue>>, RegExp]>([
    [{ 'tokenizer.ggml.model': text('bert') }, /the tokenizer 'bert' is not supported; known are gpt2, llama/],
    [
      { 'tokenizer.ggml.pre': text('default') },
      /it is not known how the tokenizer 'default' cuts texts into words; known are gpt-2,/,
    ],
    [{ 'tokenizer.ggml.merges': uint32(1) }, /tokenizer\.ggml\.merges: expected a list of texts, got 1/],
    [{ 'tokenizer.ggml.model': text('llama') }, /expected the key 'tokenizer\.ggml\.scores', which is missing/],
    [
      { 'tokenizer.ggml.model': text('llama'), 'tokenizer.ggml.scores': float32s([1, 2]) },
      /expected a score of each of 260 tokens, got 2/,
    ],
  ])('is refused with %j', (changes, message) => {
    expect(() => open(changes)).toThrow(CheckpointError)
    expect(() => open(changes)).toThrow(message)
  })
})
