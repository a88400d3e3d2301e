import { CheckpointError } from '../../errors.js'
import { commonJson, type GgufVocabulary, ggml, idsOf } from './tokenizer.js'

/** What stands for a blank. */
const mark = '\u2581'

/** Pieces that are longer are not built from merges: SentencePiece's have 16 characters at most. */
const longestPiece = 64

/**
 * The `tokenizer.json` of SentencePiece's byte-pair encoding, as Llama 1 and 2 and the first Mistral have it: neighbours are
 * joined to the piece with the highest score, and what is in no piece becomes its bytes.
 */
export function sentencePieceJson(vocabulary: GgufVocabulary): string {
  const { tokens, metadata, where } = vocabulary
  const scores = metadata.required(ggml('scores'), metadata.numbers(ggml('scores')))
  if (scores.length !== tokens.length) {
    throw new CheckpointError(`${where}: expected a score of each of ${tokens.length} tokens, got ${scores.length}`)
  }
  const ids = idsOf(tokens)
  const isPrefixed = metadata.flag(ggml('add_space_prefix')) ?? true
  const blanks = { type: 'Replace', pattern: { String: ' ' }, content: mark }
  const text = { type: 'Replace', pattern: { String: mark }, content: ' ' }
  const steps = [text, { type: 'ByteFallback' }, { type: 'Fuse' }]
  return JSON.stringify({
    ...commonJson(vocabulary),
    normalizer: isPrefixed ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: mark }, blanks] } : blanks,
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: isPrefixed ? [...steps, { type: 'Strip', content: ' ', start: 1, stop: 0 }] : steps,
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: tokens[metadata.number(ggml('unknown_token_id')) ?? 0] ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: tokens.some((token) => /^<0x[\dA-F]{2}>$/.test(token)),
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges: mergesOf(ids, scores, new Set(vocabulary.added.map(({ id }) => id))),
    },
  })
}

interface Merge {
  readonly left: string
  readonly right: string
  readonly score: number
}

/** Every way to join two tokens to a third, the highest score first; of equal ones that with the longest left part. */
function mergesOf(
  ids: ReadonlyMap<string, number>,
  scores: ArrayLike<number>,
  added: ReadonlySet<number>,
): [left: string, right: string][] {
  const merges: Merge[] = []
  for (const [token, id] of ids) {
    if (token.length > longestPiece || added.has(id)) continue
    for (let cut = 1; cut < token.length; cut++) {
      const [left, right] = [token.slice(0, cut), token.slice(cut)]
      if (ids.has(left) && ids.has(right)) merges.push({ left, right, score: scores[id] })
    }
  }
  merges.sort((a, b) => b.score - a.score || b.left.length - a.left.length || b.right.length - a.right.length)
  return merges.map(({ left, right }) => [left, right])
}
