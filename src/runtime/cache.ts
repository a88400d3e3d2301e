import type { Outputs, Program } from './program.js'

/** Programs by shape, the few most recently used: a session costs 40–540 ms to make and an arena of memory to keep. */
export class ProgramCache<O extends Outputs> {
  readonly #capacity: number
  /** Least recently used first: a Map keeps the order in which keys were set. */
  readonly #programs = new Map<string, Promise<Program<O>>>()

  constructor(capacity = 4) {
    this.#capacity = capacity
  }

  /** The program of a key, compiled where it is not there. A failed compilation is not kept. */
  get(key: string, build: () => Promise<Program<O>>): Promise<Program<O>> {
    const known = this.#programs.get(key)
    const program = known ?? build()
    this.#programs.delete(key)
    this.#programs.set(key, program)
    if (known !== undefined) return known
    program.catch(() => {
      if (this.#programs.get(key) === program) this.#programs.delete(key)
    })
    if (this.#programs.size > this.#capacity) this.#evictOldest()
    return program
  }

  /** Frees all programs. */
  dispose(): void {
    while (this.#programs.size > 0) this.#evictOldest()
  }

  #evictOldest(): void {
    const [[key, program]] = this.#programs
    this.#programs.delete(key)
    // One that failed to compile has nothing to free.
    program.then(
      (evicted) => evicted.dispose(),
      () => undefined,
    )
  }
}
