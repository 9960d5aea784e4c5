// Never run: that it compiles, against the built package as a bundler for web pages finds it and without Node's types, is the test.

import * as main from '@partway/client'
import {
  type ByteSource,
  type CallbackResult,
  ClientException,
  createBrowserRecordStore,
  createMemoryRecordStore,
  createUploadClient,
  isServerProblem,
  type Ports,
  type ProblemCode,
  type RecordStore,
  type Upload,
  type UploadClient,
  type UploadMode,
  type UploadNotice,
  type UploadOptions,
  type UploadResult,
  type UploadTask,
  type UploadTaskState,
} from '@partway/client'
import type * as single from '@partway/client/partway-client.js'
import { createUploadQueue, filesOfDrop, filesOfInput, type QueueItem } from '@partway/client/queue'
import { holds, type Same } from '../same.ts'

declare const file: File
const client = createUploadClient({ baseUrl: 'https://uploads.example.com', token: async () => 'a token' })
holds<Same<typeof client, UploadClient<Blob>>>()

// What a page uploads is a File or a Blob.
client.upload(file)
client.upload(new Blob(['text']), { fileName: 'text.txt' })
// @ts-expect-error: a path means something only to Node
client.upload('/home/me/film.mp4')
// @ts-expect-error: a list of files is for the queue
client.upload([file])
// @ts-expect-error: an input's files may be null
client.upload(document.querySelector('input')?.files?.[0])

// Both options of the client are needed, and token is a function.
// @ts-expect-error: token is missing
createUploadClient({ baseUrl: '/' })
// @ts-expect-error: a token expires, so it has to be asked for
createUploadClient({ baseUrl: '/', token: 'a token' })
// @ts-expect-error: a function may not come back without a token
createUploadClient({ baseUrl: '/', token: () => undefined })

// Options are checked by name and type; undefined is the same as leaving one out.
const task = client.upload(file, {
  parallel: 8,
  mode: 'presigned',
  recordStore: null,
  metadata: { album: 'summer' },
  onSourceChanged: 'restart',
  signal: AbortSignal.timeout(1000),
  onProgress: ({ currentBytes, totalBytes, etaSeconds }) =>
    holds<Same<[number, number, number | null], [typeof currentBytes, typeof totalBytes, typeof etaSeconds]>>(),
  onNotice: undefined,
  retry: { budgetMs: 5 },
})
// @ts-expect-error: there is no such option
client.upload(file, { chunkSize: 5 })
// @ts-expect-error: a mode that does not exist
client.upload(file, { mode: 'direct' })
holds<Same<UploadMode, 'presigned' | 'sts' | 'auto'>>()
client.upload(file, { mode: 'auto', callback: { url: 'https://app.example.com/done', body: 'object=${object}' } })
// @ts-expect-error: a callback has a body
client.upload(file, { callback: { url: 'https://app.example.com/done' } })
// @ts-expect-error: a number, not text
client.upload(file, { parallel: '4' })
// @ts-expect-error: metadata is text
client.upload(file, { metadata: { take: 2 } })

// The task: what it says can be read, and only it can change it.
holds<Same<typeof task, UploadTask>>()
const result: UploadResult = await task.done
holds<
  Same<
    UploadResult,
    {
      id: string
      key: string
      etag: string
      crc64: string
      sizeBytes: number
      sentBytes: number
      callbackResult: CallbackResult | null
    }
  >
>()
// @ts-expect-error: what has happened cannot be changed
task.state = 'completed'
holds<Same<[boolean, boolean], [typeof task.isCompleted, typeof task.isCanceled]>>()
holds<Same<[Promise<void>, Promise<UploadResult>], [ReturnType<typeof task.waitUntilFinished>, typeof task.done]>>()
// @ts-expect-error: a task is paused by a method
task.paused = true
// The parts are unknown until there is a plan.
// @ts-expect-error: possibly undefined
task.parts.isStored(1)
export const stored: boolean | undefined = task.parts?.isStored(1)

// Every state has its branch, and the compiler names the one that is forgotten.
export function wordsFor(state: UploadTaskState): string {
  switch (state) {
    case 'preparing':
    case 'waiting':
    case 'sending':
    case 'verifying':
    case 'completing':
      return 'going on'
    case 'paused':
      return 'paused'
    case 'completed':
    case 'failed':
    case 'cancelled':
      return 'over'
  }
}
export function wordsForSome(state: UploadTaskState): string {
  // @ts-expect-error: three states are forgotten
  const over: 'completed' | 'failed' = state
  return over
}
export function readNotice(notice: UploadNotice): string | number {
  // @ts-expect-error: not every notice has an id
  notice.id
  if (notice.type === 'resumed') return notice.restoredBytes
  if (notice.type === 'restarted') return notice.previousId
  if (notice.type === 'mode-changed') return `${notice.mode}: ${notice.error.code}`
  return notice.type
}

// Errors narrow by the functions that come with them.
export function readError(error: unknown): string {
  if (error instanceof ClientException) {
    // @ts-expect-error: no such code
    if (error.code === 'offline') return ''
    return error.code === 'cors-blocked' ? error.message : error.code
  }
  if (isServerProblem(error)) {
    const code: ProblemCode = error.code
    // @ts-expect-error: not a code of the server
    if (error.code === 'NoSuchUpload') return ''
    return error.requestId ?? code
  }
  return ''
}

// The calls of the HTTP API are typed from its contract.
const { upload } = await client.getUpload(result.id)
holds<Same<typeof upload, Upload>>()
const [range] = upload.storedPartRanges
holds<Same<typeof range, [number, number] | undefined>>()
await client.grantParts(upload.id, [{ partNumber: 1 }])
// @ts-expect-error: a part has a number
await client.grantParts(upload.id, [{ md5: 'x' }])
// @ts-expect-error: no such state
await client.listUploads({ state: 'done' })

// Ports are replaced one by one; a store of one's own is three methods.
const store: RecordStore = { load: async () => undefined, save: async () => {}, delete: async () => {} }
createUploadClient({ baseUrl: '/', token: () => '', ports: { recordStore: store } })
createUploadClient({ baseUrl: '/', token: () => '', ports: { recordStore: createBrowserRecordStore() } })
// @ts-expect-error: a store that cannot delete
export const half: RecordStore = { load: async () => undefined, save: async () => {} }
// @ts-expect-error: Blobs are opened, not paths
export const ports: Partial<Ports<Blob>> = { openSource: openPath }
declare function openPath(path: string): Promise<ByteSource>
export const options: UploadOptions = { recordStore: createMemoryRecordStore() }

// The queue takes what its client takes.
const queue = createUploadQueue(client, {
  parallel: 6,
  onItemChange: (item) => holds<Same<typeof item, QueueItem<Blob>>>(),
})
const [item] = queue.add([file, { source: file, fileName: 'folder/a.txt' }])
holds<Same<typeof item, QueueItem<Blob> | undefined>>()
// @ts-expect-error: a path means something only to Node
queue.add(['/home/me/film.mp4'])
// @ts-expect-error: the limit over all files is the queue's
queue.add([file], { limiter: undefined as never as import('@partway/client').PartLimiter })
declare const drop: DragEvent
if (drop.dataTransfer) await queue.add(filesOfDrop(drop.dataTransfer))
queue.add(filesOfInput(document.querySelector('input')?.files ?? []))
// @ts-expect-error: files are added by a method
queue.items.add(item)

// The single file is both.
holds<Same<typeof single.createUploadClient, typeof createUploadClient>>()
holds<Same<typeof single.createUploadQueue, typeof createUploadQueue>>()
holds<
  Same<Exclude<keyof typeof single, keyof typeof main | 'createUploadQueue' | 'filesOfDrop' | 'filesOfInput'>, never>
>()

// What only Node has is not here.
// @ts-expect-error: directories are Node's
main.createDirectoryRecordStore('/tmp')
// @ts-expect-error: there is no Buffer on a page
Buffer.from('')
// @ts-expect-error: schemas would weigh on every page
main.problems
