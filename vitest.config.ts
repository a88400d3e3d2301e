import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { alias: { '#engine': new URL('src/runtime/engine-node.ts', import.meta.url).pathname } },
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    reporters: ['default', './test/reporter.ts'],
    projects: [
      {
        extends: true,
        test: { name: 'library', include: ['src/**/*.test.ts', 'test/**/*.test.ts'], exclude: ['test/e2e/**'] },
      },
      {
        extends: true,
        // These run the built program in processes of their own.
        test: {
          name: 'program',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: 'test/e2e/build.ts',
          testTimeout: 300_000,
        },
      },
    ],
  },
})
