import { readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../errors.js'
import { saveModel } from '../hub/checkpoint.js'
import { makeFolder, writeFileAtomically } from '../hub/files.js'
import { type RunState, readRun, writeRun } from '../hub/run-directory.js'
import type { GPT } from '../models/index.js'
import type { Device } from '../runtime/index.js'
import { saveTokenizer } from '../tokenizers/save.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { build, type Ingredients } from './build.js'
import { type Checkpoint, type FitOptions, type FitProgress, type FitResult, fit } from './fit.js'
import { CausalLanguageModelling } from './objectives/causal-lm.js'
import { type Recipe, recipeToYaml } from './recipe.js'
import { Trainer } from './trainer.js'
import { restoreTrainingState, saveTrainingState } from './training-state.js'

/** What to train and where to. */
export interface TrainingRunOptions {
  readonly recipe: Recipe
  /** The run's directory, made where it is missing. */
  readonly directory: string
  /** Go on with the run that the directory holds; with none there, start one. */
  readonly resume?: boolean
  readonly device?: Device
  /** Ends the training cleanly, with a checkpoint. */
  readonly signal?: AbortSignal
  readonly onStart?: (run: {
    model: GPT
    tokenizer: Tokenizer
    parameters: number
    trainTokens: number
    step: number
  }) => void
  readonly onStep?: (progress: FitProgress) => void
  readonly onEvaluate?: (progress: FitProgress) => void
}

/** How a run ended. */
export interface TrainingRunResult {
  readonly steps: number
  readonly seconds: number
  readonly tokensPerSecond: number
  readonly trainLoss: number
  /** Absent where there is nothing to validate on. */
  readonly validationLoss?: number
  readonly parameters: number
  /** The best checkpoint's directory where there is validation data, else the last one's. */
  readonly checkpoint: string
  /** Whether it was stopped before its end, to be resumed. */
  readonly interrupted?: boolean
}

/**
 * Trains what a recipe says. The directory gets `recipe.yaml`, `run.json` (status, best and last checkpoint) and
 * checkpoints `checkpoint-STEP`, each a Hugging Face directory with the training state beside.
 *
 * @throws UsageError where the directory holds a run already and `resume` is not set; errors of the data, the recipe,
 * the checkpoint; TrainingError where the loss stops being a number
 */
export async function runRecipe(options: TrainingRunOptions): Promise<TrainingRunResult> {
  const { recipe, directory } = options
  const earlier = readRun(directory)
  if (earlier !== undefined && !options.resume) {
    throw new UsageError(
      `${directory} already holds a training run: continue it with --resume, or choose another --out`,
    )
  }
  if (earlier?.status === 'finished' && earlier.result !== undefined) {
    return { ...earlier.result, checkpoint: checkpointPath(directory, earlier) }
  }
  const checkpoint = earlier?.last === undefined ? undefined : join(directory, earlier.last)
  const ingredients = await build(recipe, checkpoint)
  const run = new Run(options, ingredients, earlier)
  return run.train(checkpoint)
}

class Run {
  readonly #options: TrainingRunOptions
  readonly #ingredients: Ingredients
  readonly #objective: CausalLanguageModelling
  readonly #trainer: Trainer
  readonly #parameters: number
  #state: RunState

  constructor(options: TrainingRunOptions, ingredients: Ingredients, earlier: RunState | undefined) {
    const { train } = options.recipe
    const { model } = ingredients
    const parameters = model.parameters()
    this.#options = options
    this.#ingredients = ingredients
    this.#objective = new CausalLanguageModelling({
      ...ingredients,
      contextLength: model.config.contextLength,
      batchSize: train.batchSize,
      seed: train.seed,
    })
    this.#trainer = new Trainer(parameters, this.#objective, { ...train, device: options.device })
    this.#parameters = Object.values(parameters).reduce((sum, { size }) => sum + size, 0)
    this.#state = { ...earlier, status: 'running' }
  }

  async train(checkpoint: string | undefined): Promise<TrainingRunResult> {
    const { directory, recipe, signal, onStep, onEvaluate, onStart } = this.#options
    const earlier = checkpoint === undefined ? undefined : restoreTrainingState(checkpoint, this.#trainer)
    this.#prepare(directory, recipe)
    const { model, tokenizer, train } = this.#ingredients
    onStart?.({ model, tokenizer, parameters: this.#parameters, trainTokens: train.length, step: this.#trainer.steps })
    try {
      const result = await fit(this.#trainer, this.#fitOptions(), {
        onStep,
        onEvaluate,
        onCheckpoint: (state) => this.#checkpoint(state),
        signal,
        bestLoss: this.#state.bestLoss,
        earlier,
      })
      return this.#finish(result)
    } catch (error) {
      this.#write({ ...this.#state, status: 'failed' })
      throw error
    } finally {
      this.#trainer.dispose()
    }
  }

  #prepare(directory: string, recipe: Recipe): void {
    makeFolder(directory)
    for (const name of readdirSync(directory)) {
      if (name.startsWith(temporaryPrefix)) rmSync(join(directory, name), { recursive: true })
    }
    writeFileAtomically(join(directory, 'recipe.yaml'), recipeToYaml(recipe))
    this.#write(this.#state)
  }

  #fitOptions(): FitOptions {
    const { steps, epochs, minutes, ...train } = this.#options.recipe.train
    if (minutes !== undefined) return { ...train, duration: { minutes } }
    const perEpoch = this.#objective.batchesPerEpoch / train.accumulate
    return { ...train, duration: { steps: steps ?? Math.max(1, Math.round((epochs ?? 1) * perEpoch)) } }
  }

  /** Saves the present state aside and renames it into place, then points to it, then removes what nothing points to. */
  #checkpoint({ step, validationLoss, isBest, ...state }: Checkpoint): void {
    const { directory } = this.#options
    const name = `checkpoint-${step}`
    const aside = join(directory, `${temporaryPrefix}${name}`)
    makeFolder(aside)
    saveTokenizer(aside, this.#ingredients.tokenizer, this.#ingredients.model.config.contextLength)
    saveTrainingState(aside, this.#trainer, state)
    saveModel(aside, this.#ingredients.model)
    rmSync(join(directory, name), { recursive: true, force: true })
    renameSync(aside, join(directory, name))
    const best = isBest ? { best: name, bestLoss: validationLoss } : {}
    this.#write({ ...this.#state, last: name, ...best })
    for (const other of readdirSync(directory)) {
      const isOld = /^checkpoint-\d+$/.test(other) && other !== this.#state.best && other !== this.#state.last
      if (isOld) rmSync(join(directory, other), { recursive: true })
    }
  }

  #finish({ interrupted, ...result }: FitResult): TrainingRunResult {
    const finished = { ...result, parameters: this.#parameters }
    const checkpoint = checkpointPath(this.#options.directory, this.#state)
    if (interrupted) {
      this.#write({ ...this.#state, status: 'stopped' })
      return { ...finished, checkpoint, interrupted }
    }
    this.#write({ ...this.#state, status: 'finished', result: finished })
    return { ...finished, checkpoint }
  }

  #write(state: RunState): void {
    this.#state = state
    writeRun(this.#options.directory, state)
  }
}

const temporaryPrefix = '.tmp-'

/** The checkpoint to use: the best, else the last. */
function checkpointPath(directory: string, { best, last }: RunState): string {
  return join(directory, best ?? last ?? '')
}
