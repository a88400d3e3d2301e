import { join } from 'node:path'
import { writeFileAtomically } from '../hub/files.js'
import type { Tokenizer } from './tokenizer.js'

/** Writes `tokenizer.json` and the `tokenizer_config.json` with which Python's AutoTokenizer opens it. */
export function saveTokenizer(directory: string, tokenizer: Tokenizer, contextLength: number): void {
  const eos = tokenizer.eosTokenId === undefined ? undefined : tokenizer.idToToken(tokenizer.eosTokenId)
  const config = { tokenizer_class: 'PreTrainedTokenizerFast', eos_token: eos, model_max_length: contextLength }
  writeFileAtomically(join(directory, 'tokenizer.json'), tokenizer.toJSON())
  writeFileAtomically(join(directory, 'tokenizer_config.json'), `${JSON.stringify(config, null, 2)}\n`)
}
