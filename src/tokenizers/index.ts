export { CharacterTokenizer, trainCharacterTokenizer } from './characters.js'
export { createTokenizer, loadTokenizer } from './node.js'
export { saveTokenizer } from './save.js'
export type { DecodeOptions, EncodeOptions, Encoding, Tokenizer } from './tokenizer.js'
