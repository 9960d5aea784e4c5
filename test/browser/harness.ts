// What the pages of the browser tests run: the SDK as it is published, in the hands of the test.
import * as sdk from '@partway/client'
import * as queue from '@partway/client/queue'

declare global {
  interface Window {
    /** Everything that `@partway/client` and `@partway/client/queue` export to browsers. */
    partway: typeof import('../../client-sdk/browser/index.ts') & typeof import('../../client-sdk/queue/index.ts')
  }
}

// The compiler reads this file as Node's and finds Node's entry; the page's bundler finds the browser's.
window.partway = { ...sdk, ...queue } as unknown as Window['partway']
document.documentElement.dataset.ready = 'true'
