import type { ClientErrorCode } from '../errors.ts'
import type { PartDigest } from '../hashing.ts'

/** To the worker: hash this, or forget it. A Blob travels as a reference; its bytes never pass through the page. */
export type HashCall = { id: number; blob: Blob; withMd5: boolean } | { id: number; blob?: undefined }

/** From the worker. Without an id: a sign of life, the first one when it is ready. */
export type HashReply =
  | { id: number; digest: PartDigest }
  | { id: number; error: { code: ClientErrorCode; message: string } }
  | { id?: undefined }

/** The worker gives a sign of life this often while it has something to do. */
export const signOfLifeMs = 2000
