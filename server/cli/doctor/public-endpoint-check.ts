import type { Config } from '../../config.ts'
import type { ObjectStore } from '../../oss/object-store.ts'
import { type ExpectedReply, interpretReply, OssError } from '../../oss/oss-reply.ts'
import { type Finding, ok } from './finding.ts'
import { doctorKey } from './rights-check.ts'

const TIMEOUT_MS = 5_000

/**
 * Uses a part URL as a client would, for an upload that does not exist. That OSS knows no such upload says that everything before it is right:
 * the endpoint, its addressing, the region and the signature. Throws OssError for any other answer.
 */
export async function checkPublicEndpoint(config: Config, objects: ObjectStore): Promise<Finding> {
  const { publicEndpoint, publicAddressing } = config.oss
  const { presign } = await objects.presignParts(doctorKey(config), '0'.repeat(32), 60)
  const { url, headers } = presign({ partNumber: 1, sizeBytes: 1 })
  const { status, headers: replied, text } = await put(url, headers, 'x')
  const call: ExpectedReply = { operation: 'UploadPart', method: 'PUT', expect: ['NoSuchUpload'] }
  const { errorCode } = interpretReply(call, status, replied, text)
  if (!errorCode) throw new OssError('UploadPart', status, 'a part of no upload was taken', undefined, undefined)
  return ok(`part URLs work at ${publicEndpoint} (${publicAddressing}), from here; clients must reach it too`)
}

export interface PutReply {
  status: number
  headers: Record<string, string>
  text: string
}

/** Sends bytes without a Content-Type, as clients do. Throws Error when there is no answer. */
export async function put(url: string, headers: Record<string, string>, body: string): Promise<PutReply> {
  try {
    const bytes = new TextEncoder().encode(body)
    const reply = await fetch(url, { method: 'PUT', headers, body: bytes, signal: AbortSignal.timeout(TIMEOUT_MS) })
    return { status: reply.status, headers: Object.fromEntries(reply.headers), text: await reply.text() }
  } catch (cause) {
    throw new Error(`${new URL(url).origin} cannot be reached.`, { cause })
  }
}
