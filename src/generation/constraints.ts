import { UsageError } from '../errors.js'
import { type LogitProcessor, requireRange } from './processors.js'

/** What may come next, whatever the logits are: anything but some tokens, or one token for certain. */
export type TokenRule = { readonly banned: Iterable<number> } | { readonly forced: number }

/**
 * A logit processor that only bans tokens or forces one. Where all processors are such, the best tokens after them are
 * among the best before them, and searches need no other logits.
 */
export interface TokenConstraint extends LogitProcessor {
  /** The rule behind some tokens, prompt and generated ones; undefined where everything may follow. */
  readonly rule: (ids: readonly number[]) => TokenRule | undefined
}

/** What several constraints allow of a row's next token. */
export interface AllowedTokens {
  /** The only token allowed, where there is one. */
  readonly forced: number | undefined
  readonly banned: ReadonlySet<number>
}

/** Whether all processors of a row are constraints. */
export function areConstraints(processors: readonly LogitProcessor[]): processors is readonly TokenConstraint[] {
  return processors.every((processor) => 'rule' in processor)
}

/** What constraints allow behind some tokens: a forced token may follow even if it is banned, the last one of several. */
export function allowedTokens(constraints: readonly TokenConstraint[], ids: readonly number[]): AllowedTokens {
  let forced: number | undefined
  const banned = new Set<number>()
  for (const { rule } of constraints) {
    const found = rule(ids)
    if (found === undefined) continue
    if ('forced' in found) forced = found.forced
    else for (const id of found.banned) banned.add(id)
  }
  return { forced, banned }
}

/**
 * Bans the tokens that would complete an n-gram the row already has (Paulus et al. 2018, §2.5, for any n).
 *
 * @param size n, a whole number ≥ 1; 1 bans every token of the row
 * @throws UsageError for another size
 */
export function noRepeatNgram(size: number): TokenConstraint {
  requireRange('noRepeatNgram', size, Number.isInteger(size) && size >= 1, 'a whole number ≥ 1')
  return constraint((ids) => {
    const prefixStart = ids.length + 1 - size
    const banned: number[] = []
    for (let start = 0; start < prefixStart; start++) {
      let matching = 0
      while (matching < size - 1 && ids[start + matching] === ids[prefixStart + matching]) matching++
      if (matching === size - 1) banned.push(ids[start + size - 1])
    }
    return { banned }
  })
}

/**
 * Bans sequences of tokens: the last token of each where those before it have just come.
 *
 * @param sequences token ids, each at least one
 * @param eosTokenIds end-of-sequence tokens, which alone cannot be banned
 * @throws UsageError for an empty sequence
 */
export function badWords(
  sequences: readonly (readonly number[])[],
  eosTokenIds: ReadonlySet<number> = new Set(),
): TokenConstraint {
  if (sequences.some((sequence) => sequence.length === 0)) {
    throw new UsageError('badWords: expected sequences of at least one token id, got an empty one')
  }
  const bad = sequences.filter(([first, ...rest]) => rest.length > 0 || !eosTokenIds.has(first))
  const endsWith = (ids: readonly number[], prefix: readonly number[]) =>
    prefix.length <= ids.length && prefix.every((id, i) => ids[ids.length - prefix.length + i] === id)
  return constraint((ids) => ({
    banned: bad.filter((sequence) => endsWith(ids, sequence.slice(0, -1))).map((sequence) => sequence.at(-1)!),
  }))
}

/**
 * Bans the end of a sequence before it has some tokens, its prompt's among them.
 *
 * @param length a whole number ≥ 0
 * @throws UsageError for another length
 */
export function minimumLength(length: number, eosTokenIds: ReadonlySet<number>): TokenConstraint {
  requireRange('minimum length', length, Number.isInteger(length) && length >= 0, 'a whole number ≥ 0')
  return constraint((ids) => (ids.length < length ? { banned: eosTokenIds } : undefined))
}

/** Leaves only one token to follow a row of this many tokens. */
export function forcedToken(length: number, forced: number): TokenConstraint {
  return constraint((ids) => (ids.length === length ? { forced } : undefined))
}

function constraint(rule: TokenConstraint['rule']): TokenConstraint {
  const process: LogitProcessor = (logits, ids) => {
    const found = rule(ids)
    if (found === undefined) return
    if ('forced' in found) {
      logits.fill(-Infinity)
      logits[found.forced] = 0
    } else {
      for (const id of found.banned) if (id < logits.length) logits[id] = -Infinity
    }
  }
  return Object.assign(process, { rule })
}
