/**
 * Perplexity, e^loss: among how many equally likely tokens a model seems to choose (Jelinek et al. 1977).
 *
 * @param loss the mean cross-entropy per token, in nats
 */
export function perplexity(loss: number): number {
  return Math.exp(loss)
}
