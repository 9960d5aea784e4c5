import type { PartsProgress, UploadNotice } from '@partway/client'
import type { QueueItem, QueueItemState } from '@partway/client/queue'
import { copyOf, element, setText } from '../shared/element.ts'
import { percentOf, rateText, sizeText } from '../shared/figures.ts'
import { createPartsStrip } from '../shared/parts-strip.ts'
import { pictureOf, storedBytes } from './file-picture.ts'
import { hintOf, type Message, messageOf, type Remedy } from './messages.ts'
import { createNote } from './note.ts'

/** What a row asks of the list it is in. */
export interface RowActions {
  onRemedy(item: QueueItem<Blob>, remedy: Remedy): void
  /** The file is to leave the list: its upload has ended, or is being cancelled. */
  onLeave(item: QueueItem<Blob>, cancelling?: Promise<void>): void
  /** Whether the list has the same file a second time, and sends that one. */
  isSentHere(item: QueueItem<Blob>): boolean
}

/** One file of the queue. */
export interface UploadRow {
  readonly root: HTMLLIElement
  /** Shows the item as it is now. Touches only what differs. */
  update(): void
  /** Something that happened on the way, and passes. */
  notice(notice: UploadNotice): void
}

const stateTexts: Record<QueueItemState, string> = {
  queued: 'Waiting for its turn',
  preparing: 'Preparing',
  waiting: 'Another tab sends this file',
  sending: 'Sending',
  paused: 'Paused',
  verifying: 'Checking what was stored before',
  completing: 'Finishing',
  completed: 'Uploaded',
  failed: 'Failed',
  cancelled: 'Cancelled',
}
/** A hint stays this long after what it waits for: if it did not help, the next one is there by then. */
const hintMs = 8000
const ends: readonly QueueItemState[] = ['completed', 'failed', 'cancelled']

export function createUploadRow(
  template: HTMLTemplateElement,
  item: QueueItem<Blob>,
  fileName: string,
  actions: RowActions,
): UploadRow {
  const root = copyOf(template)
  const find = (selector: string) => element(root, selector, HTMLElement)
  const [state, rate, bar] = [find('.state'), find('.rate'), find('.strip')]
  const [go, stop] = [find('.go'), find('.stop')]
  const goIcon = element(root, '.go use', SVGUseElement)
  const strip = createPartsStrip(element(root, 'canvas', HTMLCanvasElement))
  const note = createNote(find('.note'))
  let parts: PartsProgress | undefined
  let hint: string | undefined
  let isOfWait = false
  let hintTimer: ReturnType<typeof setTimeout> | undefined
  let isCancelling = false

  const path = fileName.split('/')
  setText(find('.name bdi'), path.at(-1) ?? fileName)
  setText(find('.name .folder'), path.slice(0, -1).join('/'))
  bar.setAttribute('aria-label', fileName)

  go.addEventListener('click', () => {
    if (item.state === 'paused') item.resume()
    else item.pause()
  })
  stop.addEventListener('click', () => {
    if (ends.includes(item.state)) return actions.onLeave(item)
    isCancelling = item.progress.currentBytes > 0
    if (!isCancelling) return leave()
    update()
    note.focus()
  })

  function leave() {
    isCancelling = false
    actions.onLeave(item, item.cancel())
  }

  function keep() {
    isCancelling = false
    update()
    stop.focus()
  }

  function update() {
    const { progress } = item
    parts = item.task?.parts ?? parts
    // What was waited for has come.
    if (root.dataset.state !== item.state && isOfWait) hint = undefined
    root.dataset.state = item.state
    showButtons()
    showFigures()
    strip.draw(pictureOf(item, parts))
    const percent = item.state === 'completed' ? 100 : percentOf(shownBytes(), progress.totalBytes)
    if (bar.getAttribute('aria-valuenow') !== `${percent}`) bar.setAttribute('aria-valuenow', `${percent}`)
    if (isCancelling && !ends.includes(item.state)) note.ask(cancelQuestion, leave, keep)
    else if (item.state === 'failed' && item.error) showFailure(messageOf(item.error))
    else note.hint(ends.includes(item.state) || item.state === 'paused' ? undefined : hint)
  }

  function showFailure(message: Message) {
    note.tell(message, fileName, (remedy) => actions.onRemedy(item, remedy))
  }

  function showButtons() {
    const isOver = ends.includes(item.state)
    const action = item.state === 'paused' ? 'resume' : 'pause'
    go.hidden = isOver
    goIcon.setAttribute('href', `#${action}`)
    name(go, { resume: 'Resume', pause: 'Pause' }[action])
    name(stop, isOver ? 'Remove from the list' : 'Cancel')
  }

  function name(button: HTMLElement, verb: string) {
    if (button.title === verb) return
    button.title = verb
    button.setAttribute('aria-label', `${verb}: ${fileName}`)
  }

  /** What was on its way when a file was paused or failed is lost, and not shown. */
  function shownBytes(): number {
    const isStill = item.state === 'paused' || item.state === 'failed'
    return isStill && parts ? storedBytes(parts) : item.progress.currentBytes
  }

  function showFigures() {
    const { totalBytes, restoredBytes, bytesPerSecond, etaSeconds } = item.progress
    const size = sizeText(item.sizeBytes ?? totalBytes)
    const isMoving = item.state === 'sending' || item.state === 'waiting'
    const bytes = shownBytes()
    const before = isMoving && restoredBytes > 0 ? `, ${percentOf(restoredBytes, totalBytes)}% were there already` : ''
    const share =
      bytes === 0 || item.state === 'completed' ? size : `${percentOf(bytes, totalBytes)}% of ${size}${before}`
    const isTwice = item.state === 'waiting' && actions.isSentHere(item)
    setText(state, `${isTwice ? 'The same file is being sent already' : stateTexts[item.state]} · ${share}`)
    setText(rate, isMoving ? rateText(bytesPerSecond, etaSeconds) : '')
  }

  return {
    root,
    update,
    notice(notice) {
      const text = hintOf(notice)
      if (text === undefined) return
      root.dataset.state = item.state
      hint = text
      isOfWait = notice.type === 'retry'
      clearTimeout(hintTimer)
      hintTimer = setTimeout(
        () => {
          hint = undefined
          update()
        },
        hintMs + ('delayMs' in notice ? notice.delayMs : 0),
      )
      update()
    },
  }
}

const cancelQuestion = {
  title: 'Cancel this upload?',
  advice: 'What is stored of it so far is deleted.',
  yes: 'Cancel and delete',
  no: 'Keep it',
}
