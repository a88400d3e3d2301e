import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

/**
 * Runs tests in Node on the browsers' engine: every operation, its gradient and the parity with PyTorch in WebAssembly.
 *
 *     npx vitest run --config test/browser/vitest.wasm.config.ts test/operations test/parity
 */
export default defineConfig({
  root: path(''),
  resolve: {
    alias: {
      '#engine': path('src/runtime/engine-web.ts'),
      // The build for browsers cannot count the cores of a machine in Node; this one is the same otherwise.
      'onnxruntime-web/wasm': path('node_modules/onnxruntime-web/dist/ort.node.min.mjs'),
    },
  },
  test: { testTimeout: 120_000, pool: 'forks', reporters: ['default', path('test/reporter.ts')] },
})
