import { CheckpointError } from '../../errors.js'
import type { GgufHeader, GgufValue } from './header.js'

/** The metadata of a file by key, each value of the type that is asked for. */
export class GgufMetadata {
  readonly #values: GgufHeader['metadata']
  readonly #where: string

  constructor({ metadata }: GgufHeader, where: string) {
    this.#values = metadata
    this.#where = where
  }

  /** @throws CheckpointError where the value is no number */
  number(key: string): number | undefined {
    return this.#find(key, 'a number', (value): value is number => typeof value === 'number')
  }

  /** @throws CheckpointError where the value is no truth value */
  flag(key: string): boolean | undefined {
    return this.#find(key, 'true or false', (value): value is boolean => typeof value === 'boolean')
  }

  /** @throws CheckpointError where the value is no text */
  text(key: string): string | undefined {
    return this.#find(key, 'a text', (value): value is string => typeof value === 'string')
  }

  /** @throws CheckpointError where the value is no list of texts */
  texts(key: string): readonly string[] | undefined {
    return this.#find(key, 'a list of texts', isTexts)
  }

  /** @throws CheckpointError where the value is no list of numbers */
  numbers(key: string): ArrayLike<number> | undefined {
    return this.#find(key, 'a list of numbers', isNumbers)
  }

  /** @throws CheckpointError where there is no such value */
  required<Value>(key: string, value: Value | undefined): Value {
    if (value !== undefined) return value
    throw new CheckpointError(`${this.#where}: expected the key '${key}', which is missing`)
  }

  #find<Value extends GgufValue>(
    key: string,
    expected: string,
    fits: (value: GgufValue) => value is Value,
  ): Value | undefined {
    const value = this.#values.get(key)
    if (value === undefined || fits(value)) return value
    throw new CheckpointError(`${this.#where}: ${key}: expected ${expected}, got ${describe(value)}`)
  }
}

function isTexts(value: GgufValue): value is readonly string[] {
  return Array.isArray(value) && (value.length === 0 || typeof value[0] === 'string')
}

function isNumbers(value: GgufValue): value is ArrayLike<number> {
  return ArrayBuffer.isView(value)
}

function describe(value: GgufValue): string {
  return typeof value === 'object' ? `a list of ${value.length}` : JSON.stringify(value).slice(0, 80)
}
