import type { Tokenizer } from '../tokenizers/tokenizer.js'
import type { DocumentPiece } from './documents.js'
import { tokenizablePieces } from './pieces.js'
import type { TokenSink } from './token-file.js'
import { MemoryTokenStore } from './token-store.js'

/** What tokenizing needs of a tokenizer: ids below `vocabularySize`, and a text that tells it from others. */
export type TokenEncoder = Pick<Tokenizer, 'vocabularySize' | 'eosTokenId' | 'encodeToArray' | 'toJSON'>

/** How documents become tokens. */
export interface TokenizeOptions {
  /** Whether the tokenizer's end-of-sequence token follows every document, where it has one. */
  readonly endDocuments: boolean
}

/** Pieces that are tokenized at once: native tokenizers work in threads. */
const piecesAtOnce = 8

/** Tokenizes documents, a piece at a time, into a sink. */
export async function tokenizeInto(
  sink: TokenSink,
  documents: AsyncIterable<DocumentPiece>,
  tokenizer: TokenEncoder,
  { endDocuments }: TokenizeOptions,
): Promise<void> {
  const { eosTokenId } = tokenizer
  const ending = endDocuments && eosTokenId !== undefined ? Uint32Array.of(eosTokenId) : undefined
  const pending: { ids: Promise<Uint32Array>; ends: boolean }[] = []
  const takeFirst = async () => {
    const first = pending.shift()
    if (first === undefined) return
    sink.add(await first.ids)
    if (first.ends && ending !== undefined) sink.add(ending)
    if (first.ends) sink.endDocument()
  }
  for await (const { text, ends } of tokenizablePieces(documents)) {
    const ids = tokenizer.encodeToArray(text, { addSpecialTokens: false })
    // The first piece that fails is reported where it is awaited; those behind it must not count as unhandled.
    ids.catch(() => {})
    pending.push({ ids, ends })
    if (pending.length === piecesAtOnce) await takeFirst()
  }
  while (pending.length > 0) await takeFirst()
}

/** Gathers tokens in memory. */
export class MemoryTokenSink implements TokenSink {
  #ids = new Uint32Array(1024)
  #length = 0
  readonly #starts = [0]

  add(ids: Uint32Array): void {
    if (this.#length + ids.length > this.#ids.length) {
      const larger = new Uint32Array(2 * (this.#length + ids.length))
      larger.set(this.#ids.subarray(0, this.#length))
      this.#ids = larger
    }
    this.#ids.set(ids, this.#length)
    this.#length += ids.length
  }

  endDocument(): void {
    if (this.#length > this.#starts[this.#starts.length - 1]) this.#starts.push(this.#length)
  }

  /** What was gathered. */
  finish(): MemoryTokenStore {
    this.endDocument()
    return new MemoryTokenStore(this.#ids.slice(0, this.#length), Float64Array.from(this.#starts))
  }
}
