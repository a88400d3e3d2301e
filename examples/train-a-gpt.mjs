// @ts-check
/**
 * Trains a small GPT on a text, character by character, and lets it write.
 *
 *     node examples/train-a-gpt.mjs [FILE [STEPS]]
 *
 * Without a FILE it learns the README of this repository.
 */
import { readFileSync } from 'node:fs'
import {
  CausalLanguageModelling,
  createTokenizer,
  GPT,
  gptCharacter,
  initialize,
  nucleus,
  schedule,
  TextGenerator,
  Trainer,
  trainCharacterTokenizer,
} from 'heddle'

const [file = 'README.md', stepCount = '300'] = process.argv.slice(2)
const seed = 1337
const totalSteps = Number(stepCount)

// The text as token ids, its last tenth kept for validation.
const text = readFileSync(file, 'utf8')
const tokenizer = createTokenizer(trainCharacterTokenizer(text))
const ids = await tokenizer.encodeToArray(text)
const cut = Math.floor(0.9 * ids.length)
const [train, validation] = [ids.subarray(0, cut), ids.subarray(cut)]

// The model: four layers of width 128 that see 64 characters.
const model = new GPT({ ...gptCharacter(tokenizer.vocabularySize), dropout: 0.1 })
const { contextLength } = model.config
initialize(model.parameters(), seed)

const objective = new CausalLanguageModelling({ model, train, validation, contextLength, batchSize: 12, seed })
const trainer = new Trainer(model.parameters(), objective, {
  betas: [0.9, 0.99],
  weightDecay: 0.1,
  clip: 1,
  accumulate: 1,
  seed,
})
const rate = schedule({ schedule: 'cosine', learningRate: 1e-3, minimumLearningRate: 1e-4, warmup: 0.1, totalSteps })

for (let step = 0; step < totalSteps; step++) {
  const { loss, gradientNorm } = await trainer.step(rate(step))
  if ((step + 1) % 50 === 0) console.log(`step ${step + 1}  loss ${loss.toFixed(3)}  norm ${gradientNorm.toFixed(2)}`)
}
console.log(`validation loss ${(await trainer.evaluate())?.loss.toFixed(3)}\n`)
trainer.dispose()

const writer = await TextGenerator.of(model, tokenizer)
const prompt = text.slice(0, 20)
process.stdout.write(prompt)
for await (const piece of writer.stream(prompt, { strategy: nucleus(0.9), maxNewTokens: 300 })) {
  process.stdout.write(piece)
}
console.log()
await writer.dispose()
