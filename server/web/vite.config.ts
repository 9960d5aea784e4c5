import { defineConfig } from 'vite'

/** Builds the upload page into dist/server/web/upload, from where server/http/web-pages.ts serves it below any path. */
export default defineConfig({
  root: `${import.meta.dirname}/upload`,
  // Relative: the server may be mounted anywhere.
  base: './',
  // The page's own code checks what it needs; nothing of the environment belongs in it.
  envPrefix: 'PARTWAY_PAGE_',
  worker: { format: 'es' },
  build: {
    outDir: `${import.meta.dirname}/../../dist/server/web/upload`,
    emptyOutDir: true,
    target: 'es2022',
    // An inline script is what the page's policy forbids, and a data: URL would be no file with a hash in its name.
    modulePreload: false,
    assetsInlineLimit: 0,
  },
})
