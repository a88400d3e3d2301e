/**
 * Every error that Heddle throws on purpose.
 *
 * A message says where it happened, what was expected, what came and what to do, in one line. The command line prints
 * that line alone and exits with {@link HeddleError.exitCode}.
 */
export class HeddleError extends Error {
  /** Exit code of the command line: 1 failure while running, 2 usage, 3 bad data or checkpoint. */
  readonly exitCode: 1 | 2 | 3 = 1

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** Shapes or dtypes that do not fit together in a graph, or a value that does not fit its declared shape. */
export class ShapeError extends HeddleError {}

/** The engine refused or failed to create or run a program. */
export class RuntimeError extends HeddleError {}

/** A program was called in a way it does not support: an unknown name, an option out of range. */
export class UsageError extends HeddleError {
  override readonly exitCode = 2
}

/** A model configuration or recipe that is not valid: unknown key, wrong type, contradicting values. */
export class ConfigError extends HeddleError {
  override readonly exitCode = 3
}

/** A checkpoint directory or a file of one that is missing, damaged or of another architecture. */
export class CheckpointError extends HeddleError {
  override readonly exitCode = 3
}

/** Training or evaluation data that is missing, empty or malformed. */
export class DataError extends HeddleError {
  override readonly exitCode = 3
}

/** A tokenizer that is missing, damaged, or cannot encode what it was given. */
export class TokenizerError extends HeddleError {
  override readonly exitCode = 3
}

/** A server that cannot be reached, fails, or cuts off its answer; the message names its host. */
export class NetworkError extends HeddleError {}

/** Training that cannot go on: the loss is not a number, or memory would not suffice. */
export class TrainingError extends HeddleError {}

/**
 * The valid name nearest to a mistyped one by edit distance (Levenshtein 1966), for "did you mean" in messages.
 *
 * @returns the nearest of `valid`, or undefined where none is within half the length of `given`
 */
export function nearestName(given: string, valid: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.ceil(given.length / 2)) + 1
  for (const name of valid) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase())
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, row[j] + 1, next[j - 1] + 1))
    }
    row = next
  }
  return row[b.length]
}
