import { createHash } from 'node:crypto'
import { OssError } from '../oss-error.ts'
import type { OssRequest } from '../oss-request.ts'
import { errorReply } from '../oss-response.ts'
import type { OssReply, VerbContext } from '../verb.ts'
import { type CallbackFacts, callbackBody } from './callback-body.ts'
import { type PostReply, postOnce } from './post-once.ts'
import type { Callback } from './read-callback.ts'

/** How callbacks are signed, where their receivers find the public key, and how long the whole exchange may take. */
export interface CallbackSettings {
  readonly sign: (text: string) => Promise<string>
  readonly keyUrl: () => string
  readonly timeoutMs: number
}

const MAX_REPLY_BYTES = 1024 * 1024
const CONNECT_FAILED = 'Error status : -1.OSS can not connect to your callbackUrl, please check it.'

/** Why a callback counts as failed, in OSS's words. */
class CallbackFailed extends Error {}

/**
 * Sends the callback of a request that has made its object, once, and turns the application's answer into that request's: 200 with its JSON,
 * or 203 CallbackFailed. The object is there in either case. `headers` are those of the object.
 */
export async function answerWithCallback(
  context: Pick<VerbContext, 'callbacks' | 'now'>,
  request: OssRequest,
  callback: Callback,
  facts: Omit<CallbackFacts, 'clientIp' | 'reqId'>,
  headers: Readonly<Record<string, string>>,
): Promise<OssReply> {
  const body = Buffer.from(callbackBody(callback, { ...facts, clientIp: request.sourceIp, reqId: request.id }))
  let failure = CONNECT_FAILED
  for (const url of callback.urls) {
    try {
      const answer = await post(context, request, callback, url, body)
      return { status: 200, headers: { ...headers, 'Content-Type': 'application/json' }, body: answer }
    } catch (error) {
      failure = error instanceof CallbackFailed ? error.message : CONNECT_FAILED
    }
  }
  const place = { id: request.id, host: request.host, isHead: false }
  return errorReply(place, new OssError(203, 'CallbackFailed', failure, { ec: '0007-00000203', headers }))
}

async function post(
  { callbacks, now }: Pick<VerbContext, 'callbacks' | 'now'>,
  request: OssRequest,
  callback: Callback,
  url: URL,
  body: Buffer,
): Promise<string> {
  const signed = `${decodeURIComponent(url.pathname)}${url.search}\n${body.toString('utf8')}`
  const reply = await postOnce({
    url,
    body,
    sni: callback.sni,
    timeoutMs: callbacks.timeoutMs,
    maxReplyBytes: MAX_REPLY_BYTES,
    headers: {
      Host: callback.host ?? url.host,
      Connection: 'close',
      Date: now.toUTCString(),
      'Content-Type': callback.bodyType,
      'Content-Length': String(body.length),
      'Content-MD5': createHash('md5').update(body).digest('base64'),
      'User-Agent': 'aliyun-oss-callback',
      authorization: await callbacks.sign(signed),
      'x-oss-pub-key-url': Buffer.from(callbacks.keyUrl()).toString('base64'),
      'x-oss-bucket': request.bucket ?? '',
      'x-oss-request-id': request.id,
      'x-oss-tag': 'CALLBACK',
    },
  })
  return usableAnswer(reply)
}

/** The application's JSON. Redirects are failures, and so is an answer that does not say how long it is. */
function usableAnswer({ status, contentLength, body }: PostReply): string {
  if (status !== 200) throw new CallbackFailed(`Error status : ${status}.`)
  if (contentLength === null) throw new CallbackFailed('Response has no Content-Length.')
  const answer = body.toString('utf8')
  if (body.length > MAX_REPLY_BYTES || !isJson(answer))
    throw new CallbackFailed('Response body is not valid json format.')
  return answer
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
