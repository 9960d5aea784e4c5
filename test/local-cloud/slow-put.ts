import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { presignV4 } from '../../server/oss/sign-v4.ts'
import { ROOT_KEY, TEST_BUCKET, TEST_REGION } from '../support/local-cloud.ts'

/** A presigned URL of the test bucket, for the root key. */
export function signedUrl(cloudUrl: string, method: string, key: string, query: Record<string, string> = {}): string {
  return presignV4({
    method,
    baseUrl: cloudUrl,
    addressing: 'path',
    bucket: TEST_BUCKET,
    key,
    region: TEST_REGION,
    credentials: ROOT_KEY,
    now: new Date(),
    expiresSeconds: 600,
    query,
  })
}

/** A PUT whose body is sent by hand, to have it in flight while something else happens. */
export interface SlowPut {
  readonly outgoing: ClientRequest
  /** Resolves when the bytes have left this process. */
  write(bytes: Buffer): Promise<void>
  end(bytes?: Buffer): void
  /** The answer; rejects when the connection goes first. */
  readonly answer: Promise<{ status: number; text: string; connection: string | undefined }>
}

export function slowPut(
  cloudUrl: string,
  put: { key: string; query?: Record<string, string>; lengthBytes: number; headers?: Record<string, string> },
): SlowPut {
  const url = signedUrl(cloudUrl, 'PUT', put.key, put.query)
  const headers = { 'content-length': put.lengthBytes, ...put.headers }
  const outgoing = request(url, { method: 'PUT', headers, agent: false })
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
  }).then(async (incoming) => ({
    status: incoming.statusCode ?? 0,
    text: await text(incoming),
    connection: incoming.headers.connection,
  }))
  // Tests that cut the connection do not look at it.
  answer.catch(() => undefined)
  outgoing.flushHeaders()
  return {
    outgoing,
    answer,
    write: (bytes) =>
      new Promise((resolve, reject) => outgoing.write(bytes, (error) => (error ? reject(error) : resolve()))),
    end: (bytes) => void outgoing.end(bytes),
  }
}
