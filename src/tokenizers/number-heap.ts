/** A binary heap of numbers, the lowest first. */
export class NumberHeap {
  readonly #values: number[] = []

  push(value: number): void {
    const values = this.#values
    let place = values.push(value) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (values[parent] <= value) break
      values[place] = values[parent]
      place = parent
    }
    values[place] = value
  }

  /** Takes the lowest number out; undefined where there is none. */
  pop(): number | undefined {
    const values = this.#values
    const first = values[0]
    const last = values.pop()
    if (last === undefined || values.length === 0) return last
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= values.length) break
      if (child + 1 < values.length && values[child + 1] < values[child]) child++
      if (values[child] >= last) break
      values[place] = values[child]
      place = child
    }
    values[place] = last
    return first
  }
}
