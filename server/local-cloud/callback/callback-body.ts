import { callbackVariables } from '@partway/client/contract'
import type { Callback } from './read-callback.ts'

/** What a callback can tell of the object that was made. */
export interface CallbackFacts {
  readonly bucket: string
  readonly object: string
  /** Without quotes: not verified against the service. */
  readonly etag: string
  readonly size: number
  readonly mimeType: string
  readonly crc64: string
  /** Base64; empty for CompleteMultipartUpload. */
  readonly contentMd5: string
  readonly clientIp: string
  readonly reqId: string
  readonly operation: string
}

/** The variables a body may name beside `x:…`. This cloud never looks into an image and is in no VPC, so those are empty. */
export const CALLBACK_VARIABLES: ReadonlySet<string> = new Set(callbackVariables)

/** The body with every variable filled in: URL-encoded in a form, and in JSON as JSON texts, `${size}` as a number (whether the service
 *  writes that one as a text is not verified). A `${x:…}` nobody set is empty. */
export function callbackBody(callback: Pick<Callback, 'body' | 'bodyType' | 'vars'>, facts: CallbackFacts): string {
  const values: Readonly<Record<string, string | number>> = { ...facts }
  return callback.body.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    const value = callback.vars.get(name) ?? values[name] ?? ''
    return callback.bodyType === 'application/json' ? JSON.stringify(value) : encodeURIComponent(value)
  })
}
