import type { Upload, UploadClient } from '@partway/client'
import { element } from '../shared/element.ts'
import { type ChosenFile, chooseOne } from './choose-files.ts'
import { type KeptFiles, openKept } from './kept-files.ts'
import { createUnfinishedRow, type UnfinishedRow } from './unfinished-row.ts'

/** Uploads of this user that were begun and not finished, as the server knows them. */
export interface UnfinishedList {
  /** Reads the first page anew. Quiet when the server cannot be reached: the page works without the list. */
  refresh(): Promise<void>
  /** The upload goes on in this page, or has ended. */
  drop(uploadId: string): void
}

export interface UnfinishedOptions {
  client: UploadClient<Blob>
  keptFiles: KeptFiles
  /** Whether this page works on the upload already. */
  isHere: (uploadId: string) => boolean
  onFile: (file: ChosenFile) => void
}

/** What OSS holds of an upload that nobody here sends changes rarely. */
const askAgainMs = 60_000

export function createUnfinishedList(section: HTMLElement, options: UnfinishedOptions): UnfinishedList {
  const { client, keptFiles, isHere, onFile } = options
  const list = element(section, 'ul', HTMLUListElement)
  const more = element(section, '.more', HTMLButtonElement)
  const template = element(document, '#unfinished-row', HTMLTemplateElement)
  const rows = new Map<string, UnfinishedRow>()
  let cursor: string | null = null
  let refreshing: Promise<void> | undefined
  /** When OSS was asked about an upload: it costs the server a request each. */
  const askedAtMs = new Map<string, number>()

  async function load(after: string | null) {
    const page = await client.listUploads({ state: 'uploading', ...(after === null ? {} : { cursor: after }) })
    if (after === null && page.nextCursor === null) await forgetAllBut(new Set(page.uploads.map(({ id }) => id)))
    for (const upload of page.uploads) await show(upload)
    cursor = page.nextCursor
    more.hidden = cursor === null
    hideIfEmpty()
    void askOss(page.uploads)
  }

  async function forgetAllBut(listed: ReadonlySet<string>) {
    for (const id of [...rows.keys()]) if (!listed.has(id)) drop(id)
    await keptFiles.retain((id) => listed.has(id) || isHere(id))
  }

  /** A page that was closed may not have said all: what OSS really holds is asked, one upload after the other. */
  async function askOss(uploads: readonly Upload[]) {
    for (const { id } of uploads) {
      if (!rows.has(id) || performance.now() - (askedAtMs.get(id) ?? Number.NEGATIVE_INFINITY) < askAgainMs) continue
      askedAtMs.set(id, performance.now())
      const answer = await client.getUpload(id, { reconcile: true }).catch(() => undefined)
      if (answer?.upload.state === 'uploading') rows.get(id)?.show(answer.upload)
      else if (answer) drop(id)
    }
  }

  async function show(upload: Upload) {
    const isOneClick = (await keptFiles.find(upload.id)) !== undefined
    if (isHere(upload.id)) return
    // A row that is there stays, with what somebody may be answering in it.
    const known = rows.get(upload.id)
    if (known) return known.show(upload)
    const row = createUnfinishedRow(template, upload, isOneClick, { onAgain, onDiscard })
    rows.set(upload.id, row)
    list.append(row.root)
  }

  async function onAgain(upload: Upload) {
    const kept = await keptFiles.find(upload.id)
    if (kept) {
      const file = await openKept(kept)
      if (file) return take(upload, { source: file, fileName: upload.fileName, kept })
      await keptFiles.forget(upload.id)
      rows.get(upload.id)?.refuse(undefined)
      return
    }
    const file = await chooseOne()
    if (file) take(upload, { ...file, fileName: upload.fileName })
  }

  /** The SDK finds the upload again by the file's fingerprint; a file of another size is told from it here and now. */
  function take(upload: Upload, file: ChosenFile) {
    if (file.source.size === upload.sizeBytes) return onFile(file)
    rows.get(upload.id)?.refuse(file.source)
  }

  async function onDiscard(upload: Upload) {
    await client.abortUpload(upload.id)
    await keptFiles.forget(upload.id)
    const hadFocus = rows.get(upload.id)?.root.contains(document.activeElement)
    drop(upload.id)
    if (hadFocus) element(document, section.hidden ? '#choose-files' : '#unfinished-title', HTMLElement).focus()
  }

  function drop(uploadId: string) {
    rows.get(uploadId)?.root.remove()
    rows.delete(uploadId)
    askedAtMs.delete(uploadId)
    hideIfEmpty()
  }

  function hideIfEmpty() {
    section.hidden = rows.size === 0 && cursor === null
  }

  more.addEventListener('click', () => void load(cursor).catch(() => {}))

  return {
    refresh() {
      refreshing ??= load(null)
        .catch(() => {})
        .finally(() => {
          refreshing = undefined
        })
      return refreshing
    },
    drop,
  }
}
