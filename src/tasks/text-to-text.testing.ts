import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { saveModel } from '../hub/checkpoint.js'
import { Transformer } from '../models/index.js'
import { initialize } from '../nn/index.js'
import { saveTokenizer } from '../tokenizers/save.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { makeEndedTokenizer } from '../training/build/tokenizer.js'

const alphabet = 'abcdefg 我们. '

/**
 * Saves an encoder–decoder of random weights that heeds its source, with a tokenizer of single characters.
 *
 * @param files contents of further files, by name
 */
export async function saveRewriter(
  files: Readonly<Record<string, object>> = {},
): Promise<{ directory: string; model: Transformer; tokenizer: Tokenizer }> {
  const directory = mkdtempSync(join(tmpdir(), 'heddle-text-to-text-'))
  const tokenizer = await makeEndedTokenizer({ type: 'characters' }, async function* () {
    yield { text: alphabet, ends: true }
  })
  const { pad, eos } = tokenizer.specialTokens
  const model = new Transformer({
    vocabularySize: tokenizer.vocabularySize,
    contextLength: 16,
    encoderLayers: 2,
    decoderLayers: 2,
    heads: 2,
    width: 8,
    tiedHead: false,
    padTokenId: pad!.id,
    eosTokenId: eos!.id,
    decoderStartTokenId: pad!.id,
  })
  const parameters = model.parameters()
  initialize(parameters, 5)
  for (const [name, { data }] of Object.entries(parameters)) {
    if (name.includes('encoder_attn.')) for (const [i, weight] of data!.entries()) data![i] = 3 * weight
  }
  saveModel(directory, model)
  saveTokenizer(directory, tokenizer, { contextLength: 16 })
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), JSON.stringify(content))
  return { directory, model, tokenizer }
}

/**
 * What a model finds likeliest token by token, without caches or batches.
 *
 * @param nextLogits the logits behind a target that begins with the start token
 */
export async function greedily(
  nextLogits: (target: number[]) => Promise<Float32Array>,
  { start, end, limit }: Record<'start' | 'end' | 'limit', number>,
): Promise<number[]> {
  const target = [start]
  while (target.length <= limit && (target.length === 1 || target.at(-1) !== end)) {
    const logits = await nextLogits(target)
    target.push(logits.indexOf(Math.max(...logits)))
  }
  return target.slice(1)
}
