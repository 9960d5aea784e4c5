import { createDirectoryRecordStore, createUploadClient } from '@partway/client/node'

/* `node upload.js PATH URL TOKEN RECORDS PARTSIZE PARALLEL`: an upload that may be killed. Tells when it begins and when it is done. */

const [, , path = '', url = '', token = '', records = '', partSize, parallel] = process.argv
const client = createUploadClient({ baseUrl: url, token: () => token })
process.send?.({ beganAtMs: Date.now() })
const recordStore = createDirectoryRecordStore(records)
const options = { recordStore, partSizeBytes: Number(partSize), parallel: Number(parallel) }
const finished = await client.upload(path, options).done
process.send?.({ doneAtMs: Date.now(), key: finished.key }, () => process.exit())
