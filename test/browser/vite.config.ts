import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

/** The headers that make a page cross-origin isolated, without which browsers give WebAssembly no threads. */
export const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

/** Builds the page from the package's sources; `npx vite test/browser/page --config test/browser/vite.config.ts` shows it. */
export default defineConfig({
  root: fileURLToPath(new URL('page', import.meta.url)),
  base: './',
  resolve: { alias: { '#engine': fileURLToPath(new URL('../../src/runtime/engine-web.ts', import.meta.url)) } },
  // The engine is a chunk of its own, which the default format of workers, one file, cannot have.
  worker: { format: 'es' },
  server: { headers: isolation },
  preview: { headers: isolation },
})
