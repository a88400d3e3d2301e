import { formatOf } from './detect-format.js'
import { type DocumentOptions, textOf } from './documents.js'
import { findFiles } from './find-files.js'
import { LineSplitter } from './lines.js'
import { cutPosition } from './pieces.js'
import { readFileRecords, splitFile, textField } from './records.js'

/** Some sentences of a document, in order: long documents come in several parts, so that they are never in memory whole. */
export interface SentencesPiece {
  readonly sentences: string[]
  /** Whether the document ends here. */
  readonly ends: boolean
}

/** Sentences in the largest part of a document. */
const sentencesAtOnce = 1024

/**
 * Reads documents as sentences, which BERT's next-sentence prediction is trained on (Devlin et al. 2019, §3.1).
 *
 * In text files a blank line ends a document, as in google-research/bert; in any other format each record is one. A line
 * end ends a sentence; within a line sentences are found by {@link splitSentences}. With the format `lines` each line is a
 * sentence as it stands. Sentences have no white space around them; documents without sentences are left out.
 *
 * @param files paths or glob patterns, see {@link findFiles}
 * @throws DataError as `readDocuments`
 */
export async function* readSentences(
  files: string | readonly string[],
  options: DocumentOptions = {},
): AsyncGenerator<SentencesPiece, void, undefined> {
  for (const file of findFiles(files)) {
    let sentences: string[] = []
    for await (const found of fileSentences(file, options)) {
      if (found === documentEnd) {
        if (sentences.length > 0) yield { sentences, ends: true }
        sentences = []
        continue
      }
      // The part before is given on only now, because it is known only now that the document goes on.
      if (sentences.length === sentencesAtOnce) {
        yield { sentences, ends: false }
        sentences = []
      }
      sentences.push(found)
    }
  }
}

/** Stands behind the last sentence of a document: no sentence is empty. */
const documentEnd = ''

async function* fileSentences(file: string, options: DocumentOptions): AsyncGenerator<string, void, undefined> {
  const { column = textField, onBytes } = options
  const format = options.format ?? (await formatOf(file))
  if (format === 'text' || format === 'lines') {
    for await (const { text } of splitFile(file, new LineSplitter(file), onBytes)) {
      const line = text.trim()
      if (line === '') yield documentEnd
      else if (format === 'lines') yield line
      else yield* splitSentences(line)
    }
    yield documentEnd
    return
  }
  for await (const record of readFileRecords(file, { ...options, format, columns: [column] })) {
    for (const line of textOf(record, column).split(/\r?\n/)) yield* splitSentences(line)
    yield documentEnd
  }
}

/** Characters (UTF-16 units) that are looked at together: the segmenter of ICU takes quadratic time in a text's length. */
const window = 4096

/** How far a border between sentences may depend on what follows it. */
const lookAhead = 256

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })

/**
 * The sentences of a line by the rules of Unicode (UAX #29, §5), which hold for English and Chinese alike, without the
 * white space around them. An abbreviation before a capital letter (`Dr. No`) ends one too. A sentence longer than 3,840
 * characters is cut, between words where it has any.
 */
export function* splitSentences(line: string): Generator<string, void, undefined> {
  for (let rest = line; rest !== ''; ) {
    const isCut = rest.length > window
    const limit = isCut ? window - lookAhead : rest.length
    let end = 0
    for (const { segment } of segmenter.segment(rest.slice(0, window))) {
      if (end + segment.length > limit) break
      end += segment.length
      yield* trimmed(segment)
    }
    if (end === 0) {
      end = cutPosition(rest, limit)
      yield* trimmed(rest.slice(0, end))
    }
    rest = rest.slice(end)
  }
}

function trimmed(text: string): string[] {
  const sentence = text.trim()
  return sentence === '' ? [] : [sentence]
}
