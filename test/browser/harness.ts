// What the pages of the browser tests run: the SDK as it is published, in the hands of the test.
import * as partway from '@partway/client'

declare global {
  interface Window {
    /** Everything that `@partway/client` exports to browsers. */
    partway: typeof partway
  }
}

window.partway = partway
document.documentElement.dataset.ready = 'true'
