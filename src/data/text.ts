import { DataError } from '../errors.js'
import { readTextFile } from '../hub/files.js'

/** A text to learn from and one to be judged by. */
export interface TextSplit {
  train: string
  validation: string
}

/**
 * Splits off the end of a text for validation: the first ⌊(1 − fraction) · length⌋ UTF-16 units train, one fewer where
 * the cut would go through a surrogate pair.
 *
 * @param fraction the share to validate on, a tenth as in nanoGPT by default
 */
export function splitText(text: string, fraction = 0.1): TextSplit {
  let cut = Math.floor(text.length * (1 - fraction))
  const before = text.charCodeAt(cut - 1)
  const after = text.charCodeAt(cut)
  if (before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000) cut--
  return { train: text.slice(0, cut), validation: text.slice(cut) }
}

/**
 * Loads the text to train on and the text to validate on, split off the first one's end where it has no file of its own.
 *
 * @param files paths of UTF-8 files
 * @throws DataError where a file is missing, empty or not UTF-8, or a text is too short to be split
 */
export function loadTexts(files: { train: string; validation?: string | undefined }): TextSplit {
  const text = readTextFile(files.train)
  if (files.validation !== undefined) return { train: text, validation: readTextFile(files.validation) }
  const split = splitText(text)
  if (split.train === '' || split.validation === '') {
    throw new DataError(`${files.train}: ${text.length} characters are too few to split off a tenth for validation`)
  }
  return split
}
