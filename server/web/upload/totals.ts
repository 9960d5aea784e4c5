import type { QueueProgress, UploadQueue } from '@partway/client/queue'
import type { Announcer } from '../shared/announcer.ts'
import { element, setText } from '../shared/element.ts'
import { countText, percentOf, rateText, sizeText } from '../shared/figures.ts'

/** What speed and time left are guessed from is too little before. */
const settleMs = 2000

/** The whole queue in one line and one bar, and in the tab's title; and the buttons for all files. */
export function createTotals(
  section: HTMLElement,
  queue: UploadQueue<Blob>,
  { announcer, onClear }: { announcer: Announcer; onClear: () => void },
): { update(progress: QueueProgress): void } {
  const bar = element(section, '#total-bar', HTMLElement)
  const fill = element(bar, 'span', HTMLElement)
  const text = element(section, '#total-text', HTMLElement)
  const [pauseAll, resumeAll, clear] = (['#pause-all', '#resume-all', '#clear'] as const).map((selector) =>
    element(section, selector, HTMLButtonElement),
  ) as [HTMLButtonElement, HTMLButtonElement, HTMLButtonElement]
  const title = document.title
  let wasBusy = false
  let busySince = 0
  let completedBefore = 0

  // One by one and not the queue as a whole, so that a single file can go on while the others stay paused.
  pauseAll.addEventListener('click', () => {
    for (const item of queue.items) item.pause()
    announcer.say('All files are paused')
  })
  resumeAll.addEventListener('click', () => {
    for (const item of queue.items) {
      if (item.state === 'failed') item.retry()
      else item.resume()
    }
    announcer.say('All files go on')
  })
  clear.addEventListener('click', onClear)

  function update({ files, currentBytes, totalBytes, bytesPerSecond, etaSeconds }: QueueProgress) {
    const open = files.total - files.completed - files.failed - files.cancelled
    const moving = open - files.paused
    if (moving > 0 && !wasBusy) {
      busySince = performance.now()
      completedBefore = files.completed
    }
    const isKnown = performance.now() - busySince > settleMs
    const isDone = files.total > 0 && open === 0 && files.failed === 0
    const percent = isDone ? 100 : percentOf(currentBytes, totalBytes)
    const counts = [
      `${files.completed} of ${countText(files.total - files.cancelled, 'file')}`,
      files.failed > 0 ? `${files.failed} failed` : '',
      files.paused > 0 ? `${files.paused} paused` : '',
      totalBytes > 0 ? `${sizeText(currentBytes)} of ${sizeText(totalBytes)}` : '',
      moving > 0 && isKnown ? rateText(bytesPerSecond, etaSeconds) : '',
    ]
    setText(text, counts.filter((part) => part !== '').join(' · '))
    fill.style.transform = `scaleX(${isDone ? 1 : totalBytes > 0 ? currentBytes / totalBytes : 0})`
    bar.setAttribute('aria-valuenow', `${percent}`)
    // Disabled and not hidden: a button that vanishes takes the keyboard's place with it.
    pauseAll.disabled = moving === 0
    resumeAll.disabled = files.paused + files.failed === 0
    clear.disabled = files.completed === 0
    document.title = moving > 0 ? `${percent}% · ${title}` : title
    if (wasBusy && moving === 0 && files.paused === 0) {
      const isAnyDone = files.completed > completedBefore
      if (files.failed > 0) {
        announcer.say(`${countText(files.failed, 'file')} failed${isAnyDone ? ', the others are uploaded' : ''}`)
      } else if (isAnyDone) announcer.say('Everything is uploaded')
    }
    wasBusy = moving > 0
  }
  return { update }
}
