import { type Alignment, EditTable } from './edit-table.js'

/** Limits that Tercom and sacreBLEU set: words shifted at once, places they are shifted by, shifts tried per sentence. */
const largestShift = 10
const farthestShift = 50
const mostCandidates = 1000

/** Words of the hypothesis that are also in the reference, from `start` and from `place` on. */
interface Run {
  readonly start: number
  readonly place: number
  readonly length: number
}

/** A run of words moved elsewhere. */
interface Shift {
  /** By how much it lowers the edit distance. */
  readonly gain: number
  readonly length: number
  readonly start: number
  /** The position before which it is put, counted in the hypothesis before the shift. */
  readonly target: number
}

/**
 * How many edits turn a hypothesis into a reference where moving a run of words counts as one, equal to sacreBLEU's
 * version of Tercom (Snover et al. 2006, §2): shifts are chosen greedily, the one that lowers the edit distance most
 * first, until none lowers it.
 */
export function editsWithShifts(hypothesis: readonly string[], reference: readonly string[]): number {
  if (reference.length === 0) return hypothesis.length
  const ids = new Map<string, number>()
  for (const word of reference) ids.set(word, ids.get(word) ?? ids.size)
  const wanted = reference.map((word) => ids.get(word) ?? -1)
  let words = hypothesis.map((word) => ids.get(word) ?? -1)
  const table = new EditTable(wanted, words.length)
  const search = new ShiftSearch(table, wanted)
  for (let shifts = 0; ; shifts++) {
    table.fill(words)
    const best = search.bestOf(words)
    // What is found when the limit is reached is not used.
    if (!best || best.gain <= 0 || search.tried >= mostCandidates) return shifts + table.distance
    words = shifted(words, best)
  }
}

/** Tries shifts and counts how many it has tried. */
class ShiftSearch {
  tried = 0
  readonly #table: EditTable
  readonly #reference: readonly number[]

  constructor(table: EditTable, reference: readonly number[]) {
    this.#table = table
    this.#reference = reference
  }

  /** The best shift of the words that the table was filled with; none where nothing can be shifted. */
  bestOf(words: readonly number[]): Shift | undefined {
    const alignment = this.#table.align(words)
    let best: Shift | undefined
    for (const run of runsInBoth(words, this.#reference)) {
      if (!isWorthShifting(run, alignment)) continue
      for (const target of targetsOf(run, alignment)) {
        this.tried++
        const candidate = this.#evaluate(words, run, target, Math.max(1, best?.gain ?? 1))
        if (!best || compareShifts(candidate, best) > 0) best = candidate
      }
      if (this.tried >= mostCandidates) break
    }
    return best
  }

  #evaluate(words: readonly number[], { start, length }: Run, target: number, leastGain: number): Shift {
    const { distance } = this.#table
    const moved = shifted(words, { start, length, target })
    const found = this.#table.distanceOf(moved, Math.min(start, target), distance - leastGain)
    return { gain: distance - found, length, start, target }
  }
}

/** All runs of equal words, at any length up to the limit, by where they start and belong. */
function* runsInBoth(words: readonly number[], reference: readonly number[]): Generator<Run> {
  for (let start = 0; start < words.length; start++) {
    const end = Math.min(reference.length, start + farthestShift + 1)
    for (let place = Math.max(0, start - farthestShift); place < end; place++) {
      const longest = Math.min(largestShift, words.length - start, reference.length - place)
      for (let length = 1; length <= longest; length++) {
        if (words[start + length - 1] !== reference[place + length - 1]) break
        yield { start, place, length }
      }
    }
  }
}

/** Whether a run is wrong where it is, the reference lacks it where it belongs, and that is not within the run itself. */
function isWorthShifting({ start, place, length }: Run, alignment: Alignment): boolean {
  const { behind, hypothesisErrors, referenceErrors } = alignment
  if (!hypothesisErrors.subarray(start, start + length).includes(1)) return false
  if (!referenceErrors.subarray(place, place + length).includes(1)) return false
  const stands = behind[place + 1] - 1
  return stands < start || stands >= start + length
}

/** Where a run may go: behind the word before its place in the reference, or behind one of those that it is to replace. */
function targetsOf({ place, length }: Run, { behind }: Alignment): Set<number> {
  return new Set(behind.subarray(place, place + length + 1))
}

/** Above 0 where a is better than b; of equals the first found counts, which starts earlier or has an earlier target. */
function compareShifts(a: Shift, b: Shift): number {
  return a.gain - b.gain || a.length - b.length
}

function shifted(words: readonly number[], { start, length, target }: Omit<Shift, 'gain'>): number[] {
  const moved = words.toSpliced(start, length)
  moved.splice(target <= start + length ? target : target - length, 0, ...words.slice(start, start + length))
  return moved
}
