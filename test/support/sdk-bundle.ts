import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'vite'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder with the built harness.js and what it loads. */
    sdkBundle: string
  }
}

const root = join(import.meta.dirname, '..', '..')

/** Once per run: test/browser/harness.ts with the built SDK, bundled as a web application would do it. */
export default async function bundleSdk(project: TestProject): Promise<() => Promise<void>> {
  if (!existsSync(join(root, 'client-sdk/dist/partway-client.js')))
    throw new Error('the SDK is not built: npm run build')
  const outDir = await mkdtemp(join(tmpdir(), 'partway-sdk-page-'))
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    base: './',
    worker: { format: 'es' },
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      minify: false,
      sourcemap: 'inline',
      modulePreload: false,
      rolldownOptions: {
        input: join(root, 'test/browser/harness.ts'),
        output: { entryFileNames: 'harness.js' },
      },
    },
  })
  project.provide('sdkBundle', outDir)
  return () => rm(outDir, { recursive: true, force: true })
}
