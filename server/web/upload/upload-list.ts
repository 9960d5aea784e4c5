import type { UploadNotice } from '@partway/client'
import type { QueueItem, UploadQueue } from '@partway/client/queue'
import type { Announcer } from '../shared/announcer.ts'
import { element } from '../shared/element.ts'
import { onColoursChanged } from '../shared/parts-strip.ts'
import type { ChosenFile } from './choose-files.ts'
import { messageOf, type Remedy } from './messages.ts'
import { createRowPainter } from './row-painter.ts'
import { createUploadRow, type UploadRow } from './upload-row.ts'

/** What the list tells the page around it. */
export interface ListEvents {
  /** The server has given the file's upload its id. */
  onUploadKnown(uploadId: string, file: ChosenFile): void
  /** The file has left the list or ended: its upload, if unfinished, is nobody's here any more. */
  onUploadLeft(uploadId: string | undefined, isUnfinished: boolean): void
  onNotice(notice: UploadNotice): void
  /** The file is to be opened anew: by its handle, or by the user's choice. Undefined when the user thinks better of it. */
  onReopen(file: ChosenFile): Promise<ChosenFile | undefined>
}

/** The files of the queue, each a row. */
export interface UploadList {
  add(files: readonly ChosenFile[]): void
  /** For the queue's `onItemChange`. */
  changed(item: QueueItem<Blob>): void
  /** Forgets finished files. */
  clear(): void
  has(uploadId: string): boolean
}

interface Entry {
  file: ChosenFile
  row: UploadRow
  uploadId: string | undefined
  shownState: string
}

export function createUploadList(
  section: HTMLElement,
  queue: UploadQueue<Blob>,
  announcer: Announcer,
  events: ListEvents,
): UploadList {
  const list = element(section, 'ul', HTMLUListElement)
  const template = element(document, '#upload-row', HTMLTemplateElement)
  const entries = new Map<QueueItem<Blob>, Entry>()
  const painter = createRowPainter()

  function put(files: readonly ChosenFile[], replaced?: Entry, options: { onSourceChanged?: 'restart' } = {}) {
    // The queue gives the items back in the order of the files, so each notice finds its row.
    const rows: (UploadRow | undefined)[] = []
    const items = queue.add(
      files.map(({ source, fileName }, index) => ({
        source,
        fileName,
        ...options,
        onNotice(notice: UploadNotice) {
          rows[index]?.notice(notice)
          events.onNotice(notice)
        },
      })),
    )
    const fragment = document.createDocumentFragment()
    for (const [index, item] of items.entries()) {
      const file = files[index]
      if (!file) continue
      const row = createUploadRow(template, item, file.fileName, {
        onRemedy: (one, chosen) => void remedy(one, chosen),
        onLeave: leave,
        isSentHere,
      })
      rows[index] = row
      entries.set(item, { file, row, uploadId: undefined, shownState: '' })
      fragment.append(row.root)
      painter.touch(row)
    }
    if (replaced) replaced.row.root.replaceWith(fragment)
    else list.append(fragment)
    section.hidden = false
  }

  async function remedy(item: QueueItem<Blob>, chosen: Remedy) {
    if (chosen === 'retry') return item.retry()
    const entry = entries.get(item)
    // A browser reads no more of a file that changed after it was chosen, so even to start over it may have to be opened anew.
    const isEnough = chosen === 'start-over' && entry && (await isReadable(entry.file.source))
    const file = isEnough ? entry.file : entry && (await events.onReopen(entry.file))
    if (!file || !entry || !entries.delete(item)) return
    queue.remove(item)
    put([file], entry, chosen === 'start-over' ? { onSourceChanged: 'restart' } : {})
  }

  function isSentHere(item: QueueItem<Blob>): boolean {
    const mine = entries.get(item)?.file
    return [...entries].some(
      ([other, { file }]) =>
        other !== item &&
        !['waiting', 'queued', 'completed', 'failed', 'cancelled'].includes(other.state) &&
        file.fileName === mine?.fileName &&
        file.source.size === mine.source.size,
    )
  }

  function leave(item: QueueItem<Blob>, cancelling?: Promise<void>) {
    const entry = entries.get(item)
    if (!entry) return
    const { root } = entry.row
    const next = root.nextElementSibling ?? root.previousElementSibling
    const hadFocus = root.contains(document.activeElement)
    entries.delete(item)
    root.remove()
    const isUnfinished = item.state === 'failed'
    if (cancelling !== undefined) {
      announcer.sayOfFile(entry.file.fileName, 'is cancelled', 'are cancelled')
      // What the server could not be told is unfinished still.
      cancelling.catch(() => events.onUploadLeft(entry.uploadId, true)).finally(() => queue.remove(item))
    } else queue.remove(item)
    events.onUploadLeft(entry.uploadId, isUnfinished)
    section.hidden = entries.size === 0
    // Whoever works with the keyboard goes on where the row was.
    if (hadFocus) (next?.querySelector<HTMLElement>('button:not([hidden])') ?? section.querySelector('h2'))?.focus()
  }

  function tell(item: QueueItem<Blob>, entry: Entry) {
    const id = item.task?.id
    if (id !== undefined && id !== entry.uploadId) {
      entry.uploadId = id
      events.onUploadKnown(id, entry.file)
    }
    if (item.state === entry.shownState) return
    entry.shownState = item.state
    const name = entry.file.fileName
    if (item.state === 'completed') {
      announcer.sayOfFile(name, 'is uploaded', 'are uploaded')
      events.onUploadLeft(entry.uploadId, false)
    }
    if (item.state === 'failed' && item.error) {
      announcer.sayOfFile(name, `failed: ${messageOf(item.error).title}`, 'failed')
    }
    if (item.state === 'waiting') announcer.say(`Another tab sends ${name}; its progress is shown`)
  }

  onColoursChanged(() => {
    for (const { row } of entries.values()) painter.touch(row)
  })

  return {
    add(files) {
      if (files.length > 0) put(files)
    },
    changed(item) {
      const entry = entries.get(item)
      if (!entry) return
      tell(item, entry)
      painter.touch(entry.row)
    },
    clear() {
      for (const item of [...entries.keys()]) if (item.state === 'completed') leave(item)
    },
    has: (uploadId) => [...entries.values()].some((entry) => entry.uploadId === uploadId),
  }
}

async function isReadable(file: File): Promise<boolean> {
  return file
    .slice(0, 1)
    .arrayBuffer()
    .then(
      () => true,
      () => false,
    )
}
