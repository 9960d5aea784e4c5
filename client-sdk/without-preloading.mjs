/** Vite wraps every import() into 3 kB that load style sheets beforehand. The SDK has none, and other bundlers do not. */
export const withoutPreloading = {
  name: 'without-preloading',
  enforce: 'pre',
  load: (id) => (id.includes('vite/preload-helper') ? 'export const __vitePreload = (load) => load()' : undefined),
}
