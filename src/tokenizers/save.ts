import { join } from 'node:path'
import { writeFileAtomically } from '../hub/files.js'
import type { Tokenizer } from './tokenizer.js'

/** What a saved tokenizer says beside its vocabulary. */
export interface SaveTokenizerOptions {
  /** Most tokens that the model reads. */
  readonly contextLength?: number
  /** The Jinja template that conversations are written with. */
  readonly chatTemplate?: string
}

/** Which tokens play which part in Python's configurations, by the names they usually have. */
const parts = {
  unk_token: ['[UNK]', '<unk>'],
  pad_token: ['[PAD]', '<pad>'],
  cls_token: ['[CLS]'],
  sep_token: ['[SEP]'],
  mask_token: ['[MASK]'],
} as const

/** Writes `tokenizer.json` and the `tokenizer_config.json` with which Python's AutoTokenizer opens it. */
export function saveTokenizer(directory: string, tokenizer: Tokenizer, options: SaveTokenizerOptions = {}): void {
  const named = Object.entries(parts).map(([part, names]) => [
    part,
    names.find((name) => tokenizer.tokenToId(name) !== undefined),
  ])
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    eos_token: tokenizer.eosTokenId === undefined ? undefined : tokenizer.idToToken(tokenizer.eosTokenId),
    ...Object.fromEntries(named),
    model_max_length: options.contextLength,
    chat_template: options.chatTemplate,
  }
  writeFileAtomically(join(directory, 'tokenizer.json'), tokenizer.toJSON())
  writeFileAtomically(join(directory, 'tokenizer_config.json'), `${JSON.stringify(config, null, 2)}\n`)
}
