import { UsageError } from '../errors.js'

/** Token ids of a text in memory. */
export type TokenIds = Uint16Array | Uint32Array | Int32Array

/** The tokens of documents, one behind the other, wherever they lie. */
export interface TokenStore {
  /** Tokens in all. */
  readonly length: number
  readonly documents: number
  /**
   * The tokens from position `start` on, to be read only.
   *
   * @throws UsageError outside the store
   */
  read(start: number, count: number): TokenIds
  /**
   * Where documents begin, from number `first` on; behind the last one comes the store's length.
   *
   * @param count at most documents + 1 − first
   * @throws UsageError outside the store
   */
  documentStarts(first: number, count: number): Float64Array
  /** Closes its file, where it has one. */
  close(): void
}

/** Tokens in memory. */
export class MemoryTokenStore implements TokenStore {
  readonly length: number
  readonly documents: number
  readonly #ids: TokenIds
  readonly #starts: Float64Array

  /** @param starts where each document begins, and the number of tokens; by default all tokens are one document */
  constructor(ids: TokenIds, starts: Float64Array = Float64Array.of(0, ids.length)) {
    this.length = ids.length
    this.documents = starts.length - 1
    this.#ids = ids
    this.#starts = starts
  }

  read(start: number, count: number): TokenIds {
    checkRange({ what: 'tokens', start, count, length: this.length })
    return this.#ids.subarray(start, start + count)
  }

  documentStarts(first: number, count: number): Float64Array {
    checkRange({ what: 'documents', start: first, count, length: this.documents + 1 })
    return this.#starts.subarray(first, first + count)
  }

  close(): void {}
}

/** Token ids in memory as a store of one document; a store as it is. */
export function asTokenStore(tokens: TokenStore | TokenIds): TokenStore {
  return 'read' in tokens ? tokens : new MemoryTokenStore(tokens)
}

/** Which part of a store {@link sliceTokens} takes. */
export interface TokenRange {
  /** The first document of the part, 0 by default. */
  readonly firstDocument?: number
  /** The document behind the last one; by default the part goes to the end. */
  readonly endDocument?: number
  /** The most tokens of the part: the document that they end in is cut short. */
  readonly maximumTokens?: number
}

/** A part of a store, which stays open as long as the store does. */
export function sliceTokens(store: TokenStore, range: TokenRange): TokenStore {
  const { firstDocument = 0, endDocument = store.documents, maximumTokens = Number.POSITIVE_INFINITY } = range
  const [offset] = store.documentStarts(firstDocument, 1)
  const length = Math.min(store.documentStarts(endDocument, 1)[0] - offset, maximumTokens)
  const documents = documentsBelow(store, offset + length, { firstDocument, endDocument }) - firstDocument
  return {
    length,
    documents,
    read(start, count) {
      checkRange({ what: 'tokens', start, count, length })
      return store.read(offset + start, count)
    },
    documentStarts(first, count) {
      checkRange({ what: 'documents', start: first, count, length: documents + 1 })
      return store.documentStarts(firstDocument + first, count).map((start) => Math.min(start - offset, length))
    },
    close: () => store.close(),
  }
}

/** The first document from `firstDocument` to `endDocument` that begins at or behind a position, by bisection. */
function documentsBelow(
  store: TokenStore,
  position: number,
  { firstDocument, endDocument }: { firstDocument: number; endDocument: number },
): number {
  let low = firstDocument
  let high = endDocument
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (store.documentStarts(middle, 1)[0] < position) low = middle + 1
    else high = middle
  }
  return low
}

/** @throws UsageError where a range is not within 0 … length */
export function checkRange(range: { what: string; start: number; count: number; length: number }): void {
  const { what, start, count, length } = range
  if (Number.isSafeInteger(start) && Number.isSafeInteger(count) && start >= 0 && count >= 0 && start + count <= length)
    return
  throw new UsageError(`token store: expected a range within ${length} ${what}, got ${count} from ${start} on`)
}
