/** The stems of irregular words. */
const irregular = new Map<string, string>(
  Object.entries({
    sky: ['sky', 'skies'],
    die: ['dying'],
    lie: ['lying'],
    tie: ['tying'],
    news: ['news'],
    inning: ['inning', 'innings'],
    outing: ['outing', 'outings'],
    canning: ['canning', 'cannings'],
    howe: ['howe'],
    proceed: ['proceed'],
    exceed: ['exceed'],
    succeed: ['succeed'],
  }).flatMap(([stem, words]) => words.map((word): [string, string] => [word, stem])),
)

/** Suffixes and what comes in their place. */
type Rules = readonly (readonly [suffix: string, replacement: string])[]

const plurals = rules('sses>ss ies>i ss>ss s>')
const doubleSuffixes = rules(
  'ational>ate tional>tion enci>ence anci>ance izer>ize bli>ble alli>al entli>ent eli>e ousli>ous ization>ize ' +
    'ation>ate ator>ate alism>al iveness>ive fulness>ful ousness>ous aliti>al iviti>ive biliti>ble fulli>ful',
)
const lateSuffixes = rules('icate>ic ative> alize>al iciti>ic ical>ic ful> ness>')
const lastSuffixes = rules(
  'al> ance> ence> er> ic> able> ible> ant> ement> ment> ent> ion> ou> ism> ate> iti> ous> ive> ize>',
)

function rules(text: string): Rules {
  return text.split(' ').map((rule): [string, string] => {
    const [suffix, replacement] = rule.split('>')
    return [suffix, replacement]
  })
}

/**
 * The stem of an English word (Porter 1980): `relational` → `relat`, `flies` → `fli`, equal to NLTK's `PorterStemmer`
 * in its default mode, which has irregular words and a few rules more than the paper.
 */
export function porterStem(word: string): string {
  const lower = word.toLowerCase()
  const known = irregular.get(lower)
  if (known !== undefined || lower.length <= 2) return known ?? lower
  return [
    removePlural,
    removePast,
    replaceY,
    shortenDouble,
    (stem: string) => replaceSuffix(stem, lateSuffixes, (rest) => measure(rest) > 0),
    removeLast,
    removeE,
    (stem: string) => (stem.endsWith('ll') && measure(stem.slice(0, -1)) > 1 ? stem.slice(0, -1) : stem),
  ].reduce((stem, step) => step(stem), lower)
}

/** Step 1a, plurals. */
function removePlural(word: string): string {
  if (word.endsWith('ies') && word.length === 4) return word.slice(0, -1)
  return replaceSuffix(word, plurals, () => true)
}

/** Step 1b, `-ed` and `-ing`. */
function removePast(word: string): string {
  if (word.endsWith('ied')) return word.slice(0, word.length === 4 ? -1 : -2)
  if (word.endsWith('eed')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word
  const stem = word.replace(/(ed|ing)$/, '')
  if (stem === word || !kinds(stem).includes('v')) return word
  if (/(at|bl|iz)$/.test(stem)) return `${stem}e`
  if (endsWithDoubleConsonant(stem)) return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1)
  return measure(stem) === 1 && endsShort(stem) ? `${stem}e` : stem
}

/** Step 1c: `y` behind a consonant that is not the first letter becomes `i`. */
function replaceY(word: string): string {
  const stem = word.slice(0, -1)
  return word.endsWith('y') && stem.length > 1 && kinds(stem).endsWith('c') ? `${stem}i` : word
}

/** Step 2, one suffix for two. */
function shortenDouble(word: string): string {
  if (word.endsWith('alli') && measure(word.slice(0, -4)) > 0) return shortenDouble(word.slice(0, -2))
  // The l counts for the stem, so that `theologi` loses its i as `archaeologi` does.
  if (word.endsWith('logi')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word
  return replaceSuffix(word, doubleSuffixes, (stem) => measure(stem) > 0)
}

/** Step 4, what is left of suffixes. */
function removeLast(word: string): string {
  const tailOfIon = /[st]$/
  return replaceSuffix(
    word,
    lastSuffixes,
    (stem, suffix) => measure(stem) > 1 && (suffix !== 'ion' || tailOfIon.test(stem)),
  )
}

/** Step 5a, `e` at the end. */
function removeE(word: string): string {
  const stem = word.slice(0, -1)
  if (!word.endsWith('e')) return word
  const length = measure(stem)
  return length > 1 || (length === 1 && !endsShort(stem)) ? stem : word
}

/** Replaces the first suffix that the word has, if what is left allows it. */
function replaceSuffix(word: string, rules: Rules, allows: (stem: string, suffix: string) => boolean): string {
  const rule = rules.find(([suffix]) => word.endsWith(suffix))
  if (!rule) return word
  const stem = word.slice(0, word.length - rule[0].length)
  return allows(stem, rule[0]) ? stem + rule[1] : word
}

/** The kind of each letter, c for consonants and v for vowels; y is a vowel behind a consonant. */
function kinds(word: string): string {
  let found = ''
  for (const letter of word) found += 'aeiou'.includes(letter) || (letter === 'y' && found.endsWith('c')) ? 'v' : 'c'
  return found
}

/** How often consonants follow vowels, the paper's m. */
function measure(stem: string): number {
  return kinds(stem).split('vc').length - 1
}

function endsWithDoubleConsonant(stem: string): boolean {
  return stem.length > 1 && stem.at(-1) === stem.at(-2) && kinds(stem).endsWith('c')
}

/** Whether a stem ends as `hop` and `fil` do, the paper's *o, or is a vowel and a consonant. */
function endsShort(stem: string): boolean {
  const found = kinds(stem)
  return found === 'vc' || (found.endsWith('cvc') && !/[wxy]$/.test(stem))
}
