import { defineConfig } from 'vitest/config'

// One project per folder of this directory. `partway-source` makes `@partway/client` mean the SDK's sources.
const folders = ['unit', 'local-cloud', 'db', 'http', 'sdk', 'faults']

export default defineConfig({
  resolve: { conditions: ['partway-source'] },
  ssr: { resolve: { conditions: ['partway-source', 'node', 'import', 'default'] } },
  test: {
    root: new URL('..', import.meta.url).pathname,
    projects: folders.map((name) => ({
      extends: true,
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        environment: 'node',
        testTimeout: name === 'faults' ? 600_000 : 60_000,
        hookTimeout: 120_000,
      },
    })),
  },
})
