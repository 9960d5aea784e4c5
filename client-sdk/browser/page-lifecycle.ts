import type { Lifecycle } from '../lifecycle.ts'

/** What happens to this page. Listeners and timers are there only while somebody wants to know. In a worker nothing happens. */
export function createPageLifecycle(): Lifecycle {
  if (!globalThis.document) return { onHide: () => () => {}, onWake: () => () => {} }
  return { onHide: whileWanted(watchHiding), onWake: whileWanted(watchSleep) }
}

/** One `watch` for all who want to know, from the first to the last of them. */
function whileWanted(watch: (tell: () => void) => () => void): (run: () => void) => () => void {
  const wanted = new Set<{ run: () => void }>()
  let stop = () => {}
  return (run) => {
    if (wanted.size === 0) {
      stop = watch(() => {
        for (const { run: tell } of [...wanted]) tell()
      })
    }
    const entry = { run }
    wanted.add(entry)
    return () => {
      if (wanted.delete(entry) && wanted.size === 0) stop()
    }
  }
}

function watchHiding(tell: () => void): () => void {
  const onChange = () => {
    if (document.visibilityState === 'hidden') tell()
  }
  // Phones often send no pagehide when a page that was hidden before is thrown away.
  document.addEventListener('visibilitychange', onChange)
  addEventListener('pagehide', tell)
  return () => {
    document.removeEventListener('visibilitychange', onChange)
    removeEventListener('pagehide', tell)
  }
}

const tickMs = 5000
/** A tick that comes this late means that nothing ran meanwhile. */
const sleptMs = 15_000
/** Browsers let timers of hidden pages run once a minute only. */
const sleptWhileHiddenMs = 75_000

function watchSleep(tell: () => void): () => void {
  let last = read()
  let wasHidden = last.isHidden
  const restart = () => {
    last = read()
    wasHidden = last.isHidden
  }
  const tick = () => {
    const now = read()
    const wallMs = now.wallMs - last.wallMs
    // Where the page's own clock stands still while the machine sleeps, the two clocks tell the two cases apart at once.
    const asleepMs = wallMs - (now.pageMs - last.pageMs)
    const limitMs = wasHidden || now.isHidden ? sleptWhileHiddenMs : sleptMs
    restart()
    if (asleepMs > sleptMs || wallMs - tickMs > limitMs) tell()
  }
  const onChange = () => {
    wasHidden = true
    // Before requests that died in the sleep are waited for: a page that is shown again is in somebody's hands.
    if (document.visibilityState === 'visible') tick()
  }
  const onResume = () => {
    restart()
    tell()
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
}

function read() {
  return { wallMs: Date.now(), pageMs: performance.now(), isHidden: document.visibilityState === 'hidden' }
}
