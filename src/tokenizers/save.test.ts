import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { trainCharacterTokenizer } from './characters.js'
import { createTokenizer, loadTokenizer } from './node.js'
import { type SaveTokenizerOptions, saveTokenizer } from './save.js'
import { bertTemplate, type Json, letters, special, text } from './sequences.testing.js'
import { sample } from './training/texts.testing.js'
import { trainTokenizer } from './training/train.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-save-'))
afterAll(() => rmSync(folder, { recursive: true }))

function configuration(json: Json | string, options?: SaveTokenizerOptions): Json {
  saveTokenizer(folder, createTokenizer(typeof json === 'string' ? json : JSON.stringify(json)), options)
  return JSON.parse(readFileSync(join(folder, 'tokenizer_config.json'), 'utf8'))
}

const bert = letters({ post_processor: bertTemplate })
const names = { unk_token: '[UNK]', pad_token: '[PAD]', cls_token: '[CLS]', sep_token: '[SEP]', mask_token: '[MASK]' }

describe('saveTokenizer', () => {
  it("tells Python's BertTokenizer what it has to know", () => {
    expect(configuration(bert, { contextLength: 512 })).toEqual({
      ...{ tokenizer_class: 'BertTokenizer', ...names, model_max_length: 512 },
      ...{ do_lower_case: true, strip_accents: null, tokenize_chinese_chars: true },
    })
    const normalizer = { type: 'BertNormalizer', lowercase: false, strip_accents: true, handle_chinese_chars: false }
    expect(configuration({ ...bert, normalizer })).toMatchObject({
      ...{ do_lower_case: false, strip_accents: true, tokenize_chinese_chars: false },
    })
  })

  it("takes BertProcessing for BERT's template", () => {
    const post_processor = { type: 'BertProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] }
    expect(configuration({ ...bert, post_processor }).tokenizer_class).toBe('BertTokenizer')
  })

  // BertTokenizer takes nothing but the vocabulary from tokenizer.json.
  it.each<[string, Json]>([
    ['another normalizer', { normalizer: { type: 'NFC' } }],
    ['no cleaning of text', { normalizer: { type: 'BertNormalizer', clean_text: false } }],
    ['other words', { pre_tokenizer: { type: 'Whitespace' } }],
    ['another decoder', { decoder: null }],
    ['no template', { post_processor: null }],
    [
      'one segment',
      {
        post_processor: {
          ...bertTemplate,
          pair: [...bertTemplate.pair.slice(0, 3), text('B', 0), special('[SEP]', 0)],
        },
      },
    ],
    ['two [SEP] between', { post_processor: { type: 'RobertaProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] } }],
    ['longer words', { model: { ...Object(bert.model), max_input_chars_per_word: 200 } }],
    ['no special tokens', { added_tokens: [] }],
  ])('is opened as it is with %s', (_name, change) => {
    expect(configuration({ ...bert, ...change }).tokenizer_class).toBe('PreTrainedTokenizerFast')
  })

  it('names what there is of others', async () => {
    const bytes = await trainTokenizer([sample], { type: 'bpe', vocabularySize: 300 })
    expect(configuration(bytes, { chatTemplate: '{{ x }}' })).toEqual({
      ...{ tokenizer_class: 'PreTrainedTokenizerFast', eos_token: '<|endoftext|>', chat_template: '{{ x }}' },
    })
    expect(configuration(trainCharacterTokenizer('ab', ['<s>']))).toEqual({
      ...{ tokenizer_class: 'PreTrainedTokenizerFast', unk_token: '<unk>', bos_token: '<s>' },
    })
  })

  it('keeps special tokens that were named', async () => {
    const specialTokens = { eos: '[SEP]', bos: '[CLS]', pad: 'ab' }
    saveTokenizer(folder, createTokenizer(JSON.stringify(bert), { specialTokens }))
    const { specialTokens: found, eosTokenId } = await loadTokenizer(folder)
    expect([found.eos?.id, found.bos?.id, found.pad?.id, found.mask?.id, eosTokenId]).toEqual([3, 2, 7, 4, 3])
  })
})
