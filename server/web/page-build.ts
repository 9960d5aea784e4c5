import { join } from 'node:path'
import type { UserConfig } from 'vite'

/** How `page`, a folder beside this file, is built into dist/server/web, from where server/http/web-pages.ts serves it below any path. */
export function pageBuild(page: 'upload' | 'admin'): UserConfig {
  return {
    root: join(import.meta.dirname, page),
    // Relative: the server may be mounted anywhere.
    base: './',
    // The page's own code checks what it needs; nothing of the environment belongs in it.
    envPrefix: 'PARTWAY_PAGE_',
    worker: { format: 'es' },
    build: {
      outDir: join(import.meta.dirname, '../../dist/server/web', page),
      emptyOutDir: true,
      target: 'es2022',
      // An inline script is what the page's policy forbids, and a data: URL would be no file with a hash in its name.
      modulePreload: false,
      assetsInlineLimit: 0,
    },
  }
}
