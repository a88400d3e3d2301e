import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../errors.js'
import { createTokenizer } from '../node.js'
import { sample } from './texts.testing.js'
import { type TokenizerProgress, type TokenizerTrainingOptions, trainTokenizer } from './train.js'

// What Python's tokenizers 0.23.3 learns from `sample`: BpeTrainer(vocab_size=320, special_tokens=['<|endoftext|>'],
// initial_alphabet=ByteLevel.alphabet()) behind ByteLevel(add_prefix_space=False), with the text as one sequence and with
// a sequence for each line. The two differ in one merge.
const merges = (lineEnd: string) =>
  `a a, t h, Ġ th, Ġth e, a b, n d, Ġ b, a t, a nd, r e, ð Ł, Ġ c, aa aa, v e, w a, Ġ m, Ġ s, Ġ w, Ġ and, B e, T h, a f, a w, b b, c h, e r, i m, l i, o n, o u, o ve, u b, ¼ Į, ã Ģ, ä ¸, å ±, æ µ, ç Ľ, ï ¼Į, ${lineEnd}, Ġ J, Ġ g, ĺ Ģ, Ġth at, ab e, Ġb i, at ch, ðŁ ĺĢ, Ġc af, wa re, Ġw e, Be ware, Th e, aw s, ove s, ãĢ Ĥ, ! ", ' t, ' ve, 1 4, 1 8, 7 1, A l`
    .split(', ')
    .map((merge) => merge.split(' '))

async function train(options: Partial<TokenizerTrainingOptions>, texts: Iterable<string> = [sample]) {
  return JSON.parse(await trainTokenizer(texts, { type: 'bpe', vocabularySize: 320, ...options }))
}

function byId(vocabulary: Record<string, number>): string[] {
  return Object.keys(vocabulary).sort((a, b) => vocabulary[a] - vocabulary[b])
}

describe('byte-level BPE', () => {
  it.each([
    [false, 'Ċ Ċ'],
    [true, 'č Ċ'],
  ])("learns the merges and vocabulary of Python's tokenizers, lines on their own: %s", async (lines, lineEnd) => {
    const { model, added_tokens } = await train({ lines })
    expect(model.merges).toEqual(merges(lineEnd))
    const tokens = byId(model.vocab)
    expect(Object.values<number>(model.vocab).sort((a, b) => a - b)).toEqual(tokens.map((_, id) => id))
    expect(tokens).toHaveLength(320)
    expect([tokens[0], tokens[1], tokens[94], tokens[256]]).toEqual(['<|endoftext|>', '!', '~', 'Ń'])
    expect(tokens.slice(257)).toEqual(model.merges.map((merge: string[]) => merge.join('')))
    expect(added_tokens).toMatchObject([{ id: 0, content: '<|endoftext|>', special: true, normalized: false }])
  })

  it("stops at the minimum frequency and where all words are tokens, like Python's", async () => {
    const frequent = (await train({ vocabularySize: 2000, minimumFrequency: 3 })).model
    expect(Object.keys(frequent.vocab)).toHaveLength(276)
    expect(frequent.merges).toEqual(merges('').slice(0, 19))
    const { vocab } = (await train({ vocabularySize: 2000 })).model
    expect(Object.keys(vocab)).toHaveLength(480)
  })

  it('makes a tokenizer that gives every text back', async () => {
    const tokenizer = createTokenizer(await trainTokenizer([sample], { type: 'bpe', vocabularySize: 300 }))
    for (const text of [sample, '', ' ', '🧵\u200d\u0000\u0301 \t\r\n', '<|endoftext|>']) {
      expect(tokenizer.decode((await tokenizer.encode(text)).ids)).toBe(text)
    }
    expect(tokenizer.eosTokenId).toBe(0)
  })
})

describe('WordPiece', () => {
  it('numbers special tokens, characters and inner characters, then learns merges over them', async () => {
    const { model, normalizer } = await train({ type: 'wordpiece', vocabularySize: 24 }, ['abc abd', 'Ábd x'])
    const tokens = byId(model.vocab)
    expect(tokens.slice(0, 5)).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'])
    // a b c d x, and behind the first ##b ##c ##d; then ab ×3 (abc, abd ×2), abd ×2, abc.
    expect(tokens.slice(5)).toEqual(['a', 'b', 'c', 'd', 'x', '##b', '##c', '##d', 'ab', 'abd', 'abc'])
    expect(normalizer).toMatchObject({ lowercase: true, strip_accents: null })
  })

  it('keeps upper case and accents where asked', async () => {
    const { model, normalizer } = await train({ type: 'wordpiece', lowercase: false }, ['Ábd x'])
    expect(Object.keys(model.vocab)).toContain('Á')
    expect(normalizer).toMatchObject({ lowercase: false })
  })

  it('keeps accents and Chinese words where asked', async () => {
    const options = { type: 'wordpiece', vocabularySize: 40 } as const
    const tokens = async (more: Partial<TokenizerTrainingOptions>) =>
      byId((await train({ ...options, ...more }, ['\u00c1bd \u4e2d\u6587'])).model.vocab)
    expect(await tokens({ stripAccents: false })).toContain('\u00e1bd')
    expect(await tokens({})).toContain('abd')
    expect(await tokens({})).not.toContain('\u4e2d\u6587')
    const { model, normalizer } = await train({ ...options, splitChinese: false }, ['\u00c1bd \u4e2d\u6587'])
    expect(byId(model.vocab)).toContain('\u4e2d\u6587')
    expect(normalizer).toMatchObject({ handle_chinese_chars: false, lowercase: true, strip_accents: null })
  })

  it("makes all of a BERT's tokenizer", async () => {
    const tokenizer = createTokenizer(await trainTokenizer([sample], { type: 'wordpiece', vocabularySize: 150 }))
    const { pad, unknown, cls, sep, mask, bos, eos } = tokenizer.specialTokens
    expect([pad?.id, unknown?.id, cls?.id, sep?.id, mask?.id, bos, eos]).toEqual([0, 1, 2, 3, 4, undefined, undefined])
    const [first, second] = await tokenizer.encodeBatch(['the [MASK]', 'jaws'], { addSpecialTokens: false })
    const { tokens, segments } = tokenizer.template.join(first, second)
    expect(tokens).toEqual(['[CLS]', 'the', '[MASK]', '[SEP]', 'jaws', '[SEP]'])
    expect(segments).toEqual([0, 0, 0, 0, 1, 1])
    expect(tokenizer.decode([...first.ids, ...second.ids])).toBe('the [MASK] jaws')
  })

  it('makes a tokenizer that knows every word it learnt from', async () => {
    const tokenizer = createTokenizer(await trainTokenizer([sample], { type: 'wordpiece', vocabularySize: 150 }))
    const { ids, tokens } = await tokenizer.encode(sample, { onUnknown: 'error' })
    expect([tokens[0], tokens.at(-1)]).toEqual(['[CLS]', '[SEP]'])
    expect(tokens).toContain('黃')
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toMatch(/^' twas brillig, and the slithy toves did gyre/)
  })

  it('leaves rare characters out at a limit', async () => {
    const { model } = await train({ type: 'wordpiece', alphabetLimit: 2 }, ['aaa bb c', 'ab ac'])
    expect(byId(model.vocab).slice(5)).toEqual(['a', 'b', '##a', '##b', 'aa', 'ab', 'bb', 'aaa'])
  })
})

describe('unigram', () => {
  it('has every character, pieces by falling score, and the special tokens first', async () => {
    const { model, pre_tokenizer, normalizer } = await train({ type: 'unigram', vocabularySize: 100 })
    const tokens: string[] = model.vocab.map(([token]: [string]) => token)
    const scores: number[] = model.vocab.map(([, score]: [string, number]) => score)
    expect(tokens).toHaveLength(100)
    expect(new Set(tokens).size).toBe(100)
    expect(tokens.slice(0, 3)).toEqual(['<pad>', '</s>', '<unk>'])
    expect(model.unk_id).toBe(2)
    const characters = new Set(sample.normalize('NFKC').replaceAll(' ', '▁'))
    expect([...characters].filter((character) => !tokens.includes(character))).toEqual([])
    expect(scores.slice(3)).toEqual(scores.slice(3).sort((a, b) => b - a))
    expect(Math.max(...scores.slice(3))).toBeLessThan(0)
    expect(pre_tokenizer.pretokenizers[0]).toMatchObject({ type: 'Metaspace', prepend_scheme: 'always' })
    expect(normalizer).toEqual({ type: 'NFKC' })
  })

  it('learns pieces that make the text short and give it back', async () => {
    const tokenizer = createTokenizer(await trainTokenizer([sample], { type: 'unigram', vocabularySize: 200 }))
    const { ids, tokens } = await tokenizer.encode(sample, { onUnknown: 'error' })
    expect(tokenizer.decode(ids)).toBe(sample.normalize('NFKC'))
    // Characters alone would be as many tokens as the text has characters.
    expect(ids.length).toBeLessThan(sample.length * 0.65)
    expect(tokens).toContain('▁the')
  })

  it('takes a line for a text of its own or not', async () => {
    const words = async (lines: boolean) =>
      (await train({ type: 'unigram', vocabularySize: 16, lines }, ['ab\nab\nab'])).model.vocab.map(
        ([token]: [string]) => token,
      )
    expect(await words(true)).toContain('▁ab')
    expect(await words(false)).toContain('ab')
  })
})

describe('trainTokenizer', () => {
  it.each(['bpe', 'unigram', 'wordpiece'] as const)('does not depend on how a text is cut: %s', async (type) => {
    const whole = await trainTokenizer([sample], { type, vocabularySize: 300 })
    async function* parts() {
      yield* sample.split(/(?=(?<!\s) )/)
    }
    expect(await trainTokenizer(parts(), { type, vocabularySize: 300 })).toBe(whole)
    // Longer than the parts it is read in.
    const long = (sample + ' '.repeat(50)).repeat(4000)
    const counts: TokenizerProgress[] = []
    const onProgress = (progress: TokenizerProgress) => counts.push(progress)
    const json = await trainTokenizer([long], { type, vocabularySize: 300, onProgress })
    const cut = long.lastIndexOf('\n', long.length / 2) + 1
    expect(await trainTokenizer([long.slice(0, cut), long.slice(cut)], { type, vocabularySize: 300 })).toBe(json)
    const read = counts.filter(({ stage }) => stage === 'read')
    expect(read.length).toBeGreaterThan(1)
    expect(read.at(-1)?.done).toBe(long.length)
    expect(counts.at(-1)).toMatchObject({ stage: 'learn', words: read.at(-1)?.words })
  })

  it('forgets rare words where there are too many, not the frequent ones', async () => {
    const rare = Array.from({ length: 5000 }, (_, i) => `w${i.toString(36)}`)
    const text = rare.map((word) => `${word} often`).join(' ')
    const { model } = await train({ vocabularySize: 270, maximumWords: 100 }, [text])
    expect(Object.keys(model.vocab)).toContain('Ġoften')
  })

  it('takes special tokens', async () => {
    const { added_tokens, model } = await train({ specialTokens: ['<a>', '<b>'] })
    expect(added_tokens.map(({ content }: { content: string }) => content)).toEqual(['<a>', '<b>'])
    expect(model.vocab['<b>']).toBe(1)
  })

  it.each<[string, Partial<TokenizerTrainingOptions>, RegExp]>([
    ['a vocabulary without room for bytes', { vocabularySize: 256 }, /257 or more \(1 special tokens and 256 bytes\)/],
    ['a broken size', { vocabularySize: 300.5 }, /whole number of 257 or more.*got 300.5/],
    [
      'one without room for characters',
      { type: 'unigram', vocabularySize: 30 },
      /characters, see alphabetLimit.*got 30/,
    ],
    ['the same for WordPiece', { type: 'wordpiece', vocabularySize: 30 }, /characters, see alphabetLimit.*got 30/],
    ['a special token twice', { specialTokens: ['<a>', '<a>'] }, /different tokens/],
    ['an empty special token', { specialTokens: [''] }, /at least one character/],
    ['a unigram model without <unk>', { type: 'unigram', specialTokens: ['</s>'] }, /needs <unk>/],
    ['WordPiece without [CLS]', { type: 'wordpiece', specialTokens: ['[UNK]', '[SEP]'] }, /needs \[CLS\] too/],
  ])('refuses %s', async (_name, options, message) => {
    const attempt = train(options)
    await expect(attempt).rejects.toThrow(ConfigError)
    await expect(attempt).rejects.toThrow(message)
  })

  it('names the types there are', async () => {
    const options = JSON.parse('{"type":"bpee","vocabularySize":300}')
    await expect(trainTokenizer([''], options)).rejects.toThrow(/'bpee' cannot be trained, did you mean bpe\?/)
  })
})
