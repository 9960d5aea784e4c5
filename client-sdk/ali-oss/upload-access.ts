import { ClientException } from '../errors.ts'
import { type AccessOptions, linkAccess } from './access-options.ts'
import { type AliOssOptions, aliOssOptions } from './ali-oss-options.ts'
import { keepCredentials } from './keep-credentials.ts'

/** What `multipartUpload` of ali-oss goes on from. */
export interface AliOssCheckpoint<File> {
  file: File
  name: string
  fileSize: number
  partSize: number
  uploadId: string
  doneParts: { number: number; etag: string }[]
}

export interface UploadAccess {
  /** For `new OSS(options)`. */
  options: AliOssOptions
  /** The one object the credentials are for. */
  key: string
  /**
   * Makes `multipartUpload(key, file, { checkpoint })` send exactly the parts that OSS has not got, to the multipart upload that Partway has
   * begun. Without it ali-oss begins another one, whose object is not the upload's. That stored parts are of this file is not checked, beyond
   * its size: ClientException `source-changed`.
   */
  checkpoint<File>(file: File): Promise<AliOssCheckpoint<File>>
}

const pageParts = 1000

/**
 * Credentials for the object of one open upload of Partway, by its `id`. The token needs the scopes `uploads` and `credentials`. When
 * ali-oss has joined the parts, `completeUpload(id)` makes Partway look at the object and end the upload; a `callback` that the upload was
 * begun with is not run then. Throws as {@link createDirectAccess} does, and ServiceException `upload-not-found`, `upload-state-conflict`, …
 */
export async function createUploadAccess(id: string, options: AccessOptions): Promise<UploadAccess> {
  const { signal } = options
  const server = linkAccess(options)
  const { api } = server
  const keeper = keepCredentials(options, server, (call) => api.grantCredentials(id, call))
  const credentials = await keeper.get()
  return {
    options: aliOssOptions(credentials, keeper, server.serverClock, signal),
    key: credentials.key,
    async checkpoint(file) {
      const { upload } = await api.getUpload(id, { signal })
      const knownBytes = sizeOf(file)
      if (knownBytes !== undefined && knownBytes !== upload.sizeBytes) {
        const message = `The file has ${knownBytes} bytes, the upload is for one of ${upload.sizeBytes}`
        throw new ClientException('source-changed', message)
      }
      const doneParts: AliOssCheckpoint<unknown>['doneParts'] = []
      let after: number | null = 0
      while (after !== null) {
        const page: Awaited<ReturnType<typeof api.listParts>> = await api.listParts(
          id,
          { after, limit: pageParts },
          { signal },
        )
        doneParts.push(...page.parts.map(({ partNumber, etag }) => ({ number: partNumber, etag })))
        after = page.nextAfter
      }
      return {
        file,
        name: credentials.key,
        fileSize: upload.sizeBytes,
        partSize: upload.partSizeBytes,
        uploadId: credentials.uploadId,
        doneParts,
      }
    },
  }
}

/** Of a Blob or of bytes. What lies behind a path only ali-oss will see. */
function sizeOf(file: unknown): number | undefined {
  const { size, byteLength } = Object(file) as { size?: unknown; byteLength?: unknown }
  const sizeBytes = size ?? byteLength
  return typeof sizeBytes === 'number' ? sizeBytes : undefined
}
