import type { Lifecycle } from '../lifecycle.ts'

const tickMs = 5000
/** A tick that comes this late means that nothing ran meanwhile. */
const sleptMs = 15_000
/** Browsers let timers of hidden pages run once a minute only. */
const sleptWhileHiddenMs = 75_000

/** What happens to this page. Listeners and timers are there only while somebody wants to know. In a worker nothing happens. */
export function createPageLifecycle(): Lifecycle {
  if (!globalThis.document) return { onHide: () => () => {}, onWake: () => () => {} }
  return {
    onHide(run) {
      const onChange = () => {
        if (document.visibilityState === 'hidden') run()
      }
      // Phones often send no pagehide when a page that was hidden before is thrown away.
      document.addEventListener('visibilitychange', onChange)
      addEventListener('pagehide', run)
      return () => {
        document.removeEventListener('visibilitychange', onChange)
        removeEventListener('pagehide', run)
      }
    },

    onWake(run) {
      let last = read()
      let wasHidden = last.isHidden
      const restart = () => {
        last = read()
        wasHidden = last.isHidden
      }
      const tick = () => {
        const now = read()
        const goneMs = now.wallMs - last.wallMs - tickMs
        // Where the page's own clock stands still while the machine sleeps, the two clocks tell the two cases apart at once.
        const asleepMs = now.wallMs - last.wallMs - (now.pageMs - last.pageMs)
        const limitMs = wasHidden || now.isHidden ? sleptWhileHiddenMs : sleptMs
        restart()
        if (asleepMs > sleptMs || goneMs > limitMs) run()
      }
      const onChange = () => {
        wasHidden = true
        // Before requests that died in the sleep are waited for: a page that is shown again is in somebody's hands.
        if (document.visibilityState === 'visible') tick()
      }
      const onResume = () => {
        restart()
        run()
      }
      const onShow = (event: PageTransitionEvent) => {
        if (event.persisted) onResume()
      }
      const timer = setInterval(tick, tickMs)
      document.addEventListener('visibilitychange', onChange)
      document.addEventListener('resume', onResume)
      addEventListener('pageshow', onShow)
      return () => {
        clearInterval(timer)
        document.removeEventListener('visibilitychange', onChange)
        document.removeEventListener('resume', onResume)
        removeEventListener('pageshow', onShow)
      }
    },
  }
}

function read() {
  return { wallMs: Date.now(), pageMs: performance.now(), isHidden: document.visibilityState === 'hidden' }
}
