/**
 * Turns positions in a text that count Unicode code points, as Python does, into positions that count UTF-16 code units,
 * as JavaScript does.
 *
 * @returns a function of a position, 0 … the number of code points; positions outside are moved by as much as the nearest
 * one inside, so that they stay outside
 */
export function codePointPositions(text: string): (position: number) => number {
  /** The code points before which every further position is one unit later: those of two units, in order. */
  const wide: number[] = []
  let point = 0
  for (let unit = 0; unit < text.length; unit++, point++) {
    if ((text.codePointAt(unit) ?? 0) <= 0xffff) continue
    wide.push(point)
    unit++
  }
  return (position) => position + countBelow(wide, position)
}

/** How many numbers of an ascending list are below a limit. */
function countBelow(ascending: readonly number[], limit: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ascending[middle] < limit) low = middle + 1
    else high = middle
  }
  return low
}
