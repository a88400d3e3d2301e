/**
 * Writes targets with a Transformer a token at a time. Takes CONFIG as JSON: model (sizes) and sourceTokens; says when it is
 * warm, and answers each line {"steps": n} of its input with the times of the first n tokens of a target, the most likely
 * ones, with a key/value cache.
 */
import { createInterface } from 'node:readline'
import { SequenceToSequenceDecoder } from 'heddle/generation'
import { Transformer, type TransformerConfig } from 'heddle/models'
import { initialize } from 'heddle/nn'
import { env } from 'onnxruntime-node'
import { endTokenId } from '../pair-batches.js'
import { answer } from './timed-training.js'

interface Config {
  readonly model: Omit<TransformerConfig, 'decoderStartTokenId'>
  readonly sourceTokens: number
}

const config: Config = JSON.parse(process.argv[2])
const model = new Transformer({ ...config.model, decoderStartTokenId: endTokenId - 1 })
const parameters = model.parameters()
initialize(parameters, 1337)
const decoder = new SequenceToSequenceDecoder(model, { parameters: 'constants' })
const source = Array.from({ length: config.sourceTokens }, (_, i) => (i * 7919) % config.model.vocabularySize)

/** @returns the seconds that each of the first tokens took */
async function decode(tokens: number): Promise<number[]> {
  await decoder.read([{ ids: source }])
  const seconds: number[] = []
  let id = decoder.startTokenId
  for (let i = 0; i < tokens; i++) {
    const start = performance.now()
    const { ids } = i === 0 ? await decoder.startCandidates([[id]], 1) : await decoder.stepCandidates([id], 1)
    seconds.push((performance.now() - start) / 1000)
    id = ids[0]
  }
  return seconds
}

await decode(16)
const count = Object.values(parameters).reduce((sum, { size }) => sum + size, 0)
answer({ ready: true, version: env.versions.node ?? 'unknown', parameters: count })
for await (const line of createInterface({ input: process.stdin })) {
  const { steps }: { steps: number } = JSON.parse(line)
  answer({ seconds: await decode(steps), peakRss: process.resourceUsage().maxRSS * 1024, loss: steps })
}
