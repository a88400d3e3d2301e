import type { CutText } from '../tasks/text-batches.js'
import { printMessage } from './output.js'
import type { TextOptions } from './texts.js'

/** Works on texts and tells of each that was too long. */
export type CuttingWork<Result> = (
  texts: readonly string[],
  onCut: (cut: CutText) => void,
) => Promise<readonly Result[]>

/**
 * Makes of work that cuts texts work for `forEachText`, which says on standard error what lines were cut.
 *
 * @param maxLength most tokens of a text, for the message
 */
export function reportingCuts<Result>(
  { text, file = 'standard input' }: TextOptions,
  maxLength: number,
  work: CuttingWork<Result>,
): (texts: readonly string[]) => Promise<readonly Result[]> {
  let first = 1
  return async (texts) => {
    const cut: number[] = []
    const results = await work(texts, ({ index }) => cut.push(first + index))
    first += texts.length
    const what = text === undefined ? `${file}: line${cut.length > 1 ? 's' : ''} ${cut.join(', ')}` : 'the text'
    if (cut.length > 0) printMessage(`heddle: ${what}: longer than the ${maxLength} tokens that are looked at, and cut`)
    return results
  }
}
