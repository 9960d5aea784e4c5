// Never run: that it compiles, against the built package as Node finds it and without the DOM's types, is the test.
import * as main from '@partway/client'
import { createUploadClient, type UploadClient } from '@partway/client'
import { type Upload, Upload as UploadSchema } from '@partway/client/contract'
import type * as node from '@partway/client/node'
import { createDirectoryRecordStore, type NodeSource, type Reader } from '@partway/client/node'
import { createUploadQueue, type QueueItem } from '@partway/client/queue'
import { holds, type Same } from '../same.ts'

const client = createUploadClient({ baseUrl: 'https://uploads.example.com', token: () => process.env.TOKEN ?? '' })
holds<Same<typeof client, UploadClient<NodeSource>>>()
// In Node the package means its Node entry.
holds<Same<keyof typeof main, keyof typeof node>>()

// Files by path, or anything that gives bytes by range.
client.upload('/data/film.mp4', { recordStore: createDirectoryRecordStore('/var/lib/app') })
const reader: Reader = { sizeBytes: 3, read: (start, end) => Buffer.from('abc').subarray(start, end) }
client.upload(reader)
// @ts-expect-error: a Blob cannot be read again after a restart
client.upload(new Blob(['text']))
// @ts-expect-error: bytes alone have no size and no place
client.upload(Buffer.from('abc'))
// @ts-expect-error: how many bytes must be known
client.upload({ read: async () => new Uint8Array() })
// @ts-expect-error: text is not bytes
export const textReader: Reader = { sizeBytes: 3, read: () => 'abc' }

// What only pages have is not here.
// @ts-expect-error: IndexedDB is the browser's
main.createBrowserRecordStore()
// @ts-expect-error: there is no document
document.title

const queue = createUploadQueue(client)
const [item] = queue.add(['/data/a', '/data/b'])
holds<Same<typeof item, QueueItem<NodeSource> | undefined>>()

// The contract carries the schemas, whose types are the client's.
const upload: Upload = UploadSchema.parse({})
holds<Same<Awaited<ReturnType<typeof client.getUpload>>, { upload: Upload }>>()
// @ts-expect-error: a number of bytes
export const size: string = upload.sizeBytes
