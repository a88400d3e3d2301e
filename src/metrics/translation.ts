import { corpusBleu } from './bleu.js'
import { type BleuTokenizer, isMostlyChinese } from './bleu-tokenizers.js'
import { corpusChrf } from './chrf.js'
import type { SegmentReferences } from './corpus.js'
import { corpusRouge, type RougeOptions } from './rouge.js'
import { corpusTer } from './ter.js'

/** How good translations are by their references, as sacreBLEU prints it. */
export interface TranslationMetrics {
  /** {@link corpusBleu}, 0 to 100. */
  readonly bleu: number
  /** {@link corpusChrf}, 0 to 100. */
  readonly chrf: number
  /** {@link corpusTer}, from 0, the best, upward. */
  readonly ter: number
  /** How each was computed; scores compare only where these are the same. */
  readonly signatures: { readonly bleu: string; readonly chrf: string; readonly ter: string }
}

/** How {@link translationMetrics} counts. */
export interface TranslationOptions {
  /** How BLEU cuts text; default `zh` where the references are {@link isMostlyChinese}, else `13a`. */
  readonly tokenize?: BleuTokenizer
  /** Whether BLEU and chrF take upper and lower case for the same (default false); TER always does. */
  readonly lowercase?: boolean
}

/**
 * BLEU, chrF and TER of a corpus with sacreBLEU's defaults, but for Chinese: with the tokenizer `zh`, the words of TER are
 * Chinese characters as well (its options `normalized` and `asianSupport`).
 *
 * @param hypotheses one text a segment
 * @param references what it is compared with, one or several texts a segment
 * @throws UsageError where the numbers of segments differ and for a tokenizer that does not exist; DataError for a
 * corpus of no segments and for a segment without a reference
 */
export function translationMetrics(
  hypotheses: readonly string[],
  references: readonly SegmentReferences[],
  options: TranslationOptions = {},
): TranslationMetrics {
  const { lowercase = false, tokenize = isMostlyChinese(references.flat()) ? 'zh' : '13a' } = options
  const chinese = tokenize === 'zh'
  const bleu = corpusBleu(hypotheses, references, { tokenize, lowercase })
  const chrf = corpusChrf(hypotheses, references, { lowercase })
  const ter = corpusTer(hypotheses, references, { normalized: chinese, asianSupport: chinese })
  return {
    bleu: bleu.score,
    chrf: chrf.score,
    ter: ter.score,
    signatures: { bleu: bleu.signature, chrf: chrf.signature, ter: ter.signature },
  }
}

/** The mean F1 of ROUGE over summaries, between 0 and 1. */
export interface SummarizationMetrics {
  readonly rouge1: number
  readonly rouge2: number
  readonly rougeL: number
}

/**
 * Mean F1 of ROUGE-1, -2 and -L over texts, see {@link corpusRouge}.
 *
 * @param hypotheses the summaries to score
 * @param references what each is compared with, one or several texts
 * @param options.tokenize default `characters` where the references are {@link isMostlyChinese}, else `words`
 * @throws UsageError where the numbers of texts differ and for a tokenizer that does not exist; DataError for no texts
 * at all and for one without a reference
 */
export function summarizationMetrics(
  hypotheses: readonly string[],
  references: readonly SegmentReferences[],
  options: RougeOptions = {},
): SummarizationMetrics {
  const { tokenize = isMostlyChinese(references.flat()) ? 'characters' : 'words', stem } = options
  const { rouge1, rouge2, rougeL } = corpusRouge(hypotheses, references, { tokenize, stem })
  return { rouge1: rouge1.f1, rouge2: rouge2.f1, rougeL: rougeL.f1 }
}
