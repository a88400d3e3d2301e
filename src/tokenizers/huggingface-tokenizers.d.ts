/**
 * What is used of @huggingface/tokenizers. Its own declarations import each other without file extensions, which Node's
 * module resolution does not find.
 */
declare module '@huggingface/tokenizers' {
  /** Turns words into tokens. */
  export type Model = (words: string[]) => string[]

  export const BPE: new (config: object) => Model

  export class SplitPreTokenizer {
    constructor(config: object)
    /** The configured pattern as JavaScript's; null where it has neither a String nor a Regex. */
    pattern: RegExp | null
  }
}
