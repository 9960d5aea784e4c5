import { availableParallelism } from 'node:os'
import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'

// One project per folder of this directory. `partway-source` makes `@partway/client` mean the SDK's sources.
const folders = ['unit', 'local-cloud', 'db', 'http', 'sdk', 'faults', 'live', 'browser']
const timeoutsMs: Readonly<Record<string, number>> = { browser: 120_000, faults: 180_000 }

export default defineConfig({
  ssr: { resolve: { conditions: ['partway-source', ...defaultServerConditions] } },
  test: {
    root: new URL('..', import.meta.url).pathname,
    projects: folders.map((name) => ({
      extends: true,
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        environment: 'node',
        setupFiles: [
          'test/support/secret-watch-setup.ts',
          ...(['unit', 'http'].includes(name) ? ['test/support/fixed-seed.ts'] : []),
        ],
        // A browser is many processes already, and some of its tests measure what a page uses: one file at a time, after all others.
        ...(name === 'browser'
          ? { globalSetup: 'test/support/sdk-bundle.ts', maxWorkers: 1, sequence: { groupOrder: 1 } }
          : { maxWorkers: availableParallelism(), sequence: { groupOrder: 0 } }),
        testTimeout: timeoutsMs[name] ?? 60_000,
        hookTimeout: 120_000,
      },
    })),
  },
})
