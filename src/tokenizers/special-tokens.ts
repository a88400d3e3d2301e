import { addedTokens, type TokenizerJson } from './tokenizer-json.js'

/** The parts that special tokens play. */
export const specialTokenRoles = ['pad', 'unknown', 'cls', 'sep', 'mask', 'bos', 'eos'] as const

/**
 * A part that a special token plays: `pad` fills batches, `unknown` stands for text that the vocabulary lacks, `cls`
 * begins and `sep` ends the texts of BERT-like models, `mask` hides a token, `bos` and `eos` begin and end a text.
 */
export type SpecialTokenRole = (typeof specialTokenRoles)[number]

/** A special token and its id. */
export interface SpecialToken {
  readonly id: number

  /** As the vocabulary spells it. */
  readonly token: string
}

/** Special tokens by the part they play. */
export type SpecialTokens = { readonly [role in SpecialTokenRole]?: SpecialToken }

/** How special tokens are spelled, by the part they play. */
export type SpecialTokenNames = { readonly [role in SpecialTokenRole]?: string | undefined }

/** What the token of a role is called in Python's configurations, as `pad_token`. */
export function tokenKey(role: SpecialTokenRole): string {
  return role === 'unknown' ? 'unk_token' : `${role}_token`
}

/** What special tokens are called where nothing names them; the first that a tokenizer has counts. */
const usualNames: Readonly<Record<SpecialTokenRole, readonly string[]>> = {
  pad: ['[PAD]', '<pad>'],
  unknown: ['[UNK]', '<unk>'],
  cls: ['[CLS]'],
  sep: ['[SEP]'],
  mask: ['[MASK]', '<mask>'],
  bos: ['<s>', '<bos>'],
  eos: ['<|endoftext|>', '</s>', '<eos>'],
}

/**
 * The special tokens of a tokenizer.
 *
 * @param idOf the id of a token of the vocabulary
 * @param names their spellings where a configuration has them; one that the vocabulary lacks plays no part
 */
export function findSpecialTokens(
  json: TokenizerJson,
  idOf: (token: string) => number | undefined,
  names: SpecialTokenNames = {},
): SpecialTokens {
  const added = new Set(addedTokens(json).map(({ content }) => content))
  const usual = (role: SpecialTokenRole) => {
    if (role === 'unknown' && json.model.unk_token) return json.model.unk_token
    // RoBERTa and its relatives have no tokens for this alone; models that only write have no mask.
    const both = added.has('<mask>') ? { cls: ['<s>'], sep: ['</s>'] }[String(role)] : undefined
    return [...usualNames[role], ...(both ?? [])].find((name) => added.has(name))
  }
  const found: { [role in SpecialTokenRole]?: SpecialToken } = {}
  for (const role of specialTokenRoles) {
    const token = names[role] ?? usual(role)
    const id = token === undefined ? undefined : idOf(token)
    if (token !== undefined && id !== undefined) found[role] = { id, token }
  }
  return found
}
