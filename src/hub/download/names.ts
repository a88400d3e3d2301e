import { CheckpointError, UsageError } from '../../errors.js'

/** A model of the hub at one of its revisions. */
export interface ModelName {
  /** `OWNER/NAME`. */
  readonly repository: string
  /** A branch, a tag or a commit. */
  readonly revision: string
}

const namePattern = /^\w[\w.-]{0,94}\w$|^\w$/

/** A full commit id of git, which never stands for anything else. */
export const commitPattern = /^[0-9a-f]{40}$/

/**
 * Reads `OWNER/NAME` or `OWNER/NAME@REVISION` by the hub's rules for names.
 *
 * @param revision where the text names none (default `main`)
 * @returns undefined for anything else
 */
export function parseModelName(text: string, revision = 'main'): ModelName | undefined {
  const at = text.indexOf('@')
  const repository = at < 0 ? text : text.slice(0, at)
  const parts = repository.split('/')
  if (parts.length !== 2 || !parts.every((part) => namePattern.test(part))) return undefined
  if (/--|\.\.|\.git$/.test(repository)) return undefined
  const named = at < 0 ? revision : text.slice(at + 1)
  return isSafePath(named) ? { repository, revision: named } : undefined
}

/**
 * Reads the name of a model whose revision may be given beside it.
 *
 * @throws UsageError where it is none
 */
export function requireModelName(text: string, revision: string | undefined): ModelName {
  const model = parseModelName(text, revision)
  if (revision !== undefined && (text.includes('@') || !isSafePath(revision))) {
    const expected = text.includes('@')
      ? `none, because ${JSON.stringify(text)} has one`
      : 'a branch, a tag or a commit'
    throw new UsageError(`revision: expected ${expected}, got ${JSON.stringify(revision)}`)
  }
  if (model !== undefined) return model
  throw new UsageError(
    `expected a model's name OWNER/NAME or OWNER/NAME@REVISION, such as openai-community/gpt2, got ${JSON.stringify(text)}`,
  )
}

/** A model as it is written: the revision only where it is not the usual one. */
export function formatModelName({ repository, revision }: ModelName): string {
  return revision === 'main' ? repository : `${repository}@${revision}`
}

/**
 * Whether a name of the hub can be a path below a folder: parts separated by `/`, none of them empty, `.` or `..`, and
 * nothing that a system could take for a separator, a drive or the end of the text.
 */
export function isSafePath(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  if (name.length > 1000 || /[\u0000-\u001f\u007f-\u009f\\:]/.test(name)) return false
  return name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}

/**
 * Refuses a list of files that no git repository can hold, which means that somebody wants to write outside of the cache.
 * (Names with a backslash or a colon can be in one; they are harmless as long as no file of that name is written.)
 *
 * @throws CheckpointError naming the first such file
 */
export function checkListedNames(names: readonly string[], where: string): void {
  const bad = names.find((name) => name.includes('\0') || name.split('/').some((part) => /^\.{0,2}$/.test(part)))
  if (bad === undefined) return
  throw new CheckpointError(`${where}: the file name ${JSON.stringify(bad)} leads out of the repository; do not use it`)
}

/** Whether an entity tag can be a blob's file name, beside those that the cache makes itself. */
export function isBlobName(etag: string): boolean {
  return /^[A-Za-z0-9][\w.=+-]{0,199}$/.test(etag) && !/\.(incomplete|lock|tmp)$/.test(etag) && !etag.includes('..')
}
