import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { saveModel } from '../hub/checkpoint.js'
import { GPT } from '../models/index.js'
import { initialize } from '../nn/index.js'
import { trainCharacterTokenizer } from '../tokenizers/characters.js'
import { createTokenizer } from '../tokenizers/node.js'
import { saveTokenizer } from '../tokenizers/save.js'

/** A folder that is removed after the tests of the file; returns a function that makes paths in it. */
export function temporaryFolder(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-tasks-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return (name) => join(folder, name)
}

/** Saves a GPT with random weights, large enough that it has opinions, and a tokenizer of the characters of `text`. */
export function saveRandomModel(directory: string, text: string): GPT {
  const tokenizer = createTokenizer(trainCharacterTokenizer(text))
  const { vocabularySize } = tokenizer
  const sizes = { vocabularySize, contextLength: 8, layers: 2, heads: 2, width: 8, bias: false, deviation: 0.4 }
  const model = new GPT(sizes)
  initialize(model.parameters(), 11)
  saveModel(directory, model)
  saveTokenizer(directory, tokenizer, sizes)
  return model
}
