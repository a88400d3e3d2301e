import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { alias: { '#engine': new URL('src/runtime/engine-node.ts', import.meta.url).pathname } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    reporters: ['default', './test/reporter.ts'],
  },
})
