import { LRUCache } from 'lru-cache'
import type { Outputs, Program } from './program.js'

/** Programs by shape, the few most recently used: a session costs 40–540 ms to make and an arena of memory to keep. */
export class ProgramCache<O extends Outputs> {
  readonly #programs: LRUCache<string, Promise<Program<O>>>

  constructor(capacity = 4) {
    this.#programs = new LRUCache({
      max: capacity,
      dispose: (program) =>
        void program.then(
          (evicted) => evicted.dispose(),
          () => undefined,
        ),
    })
  }

  /** The program of a key, compiled where it is not there. A failed compilation is not kept. */
  get(key: string, build: () => Promise<Program<O>>): Promise<Program<O>> {
    const known = this.#programs.get(key)
    if (known !== undefined) return known
    const program = build()
    this.#programs.set(key, program)
    program.catch(() => {
      if (this.#programs.peek(key) === program) this.#programs.delete(key)
    })
    return program
  }

  /** Frees all programs. */
  dispose(): void {
    this.#programs.clear()
  }
}
