import { ServiceException } from './errors.ts'
import type { PartReply } from './part-transport.ts'
import { askedDelayMs } from './retry.ts'

/** Text of an XML element without children. OSS's error bodies are flat, so no parser is worth its weight here. */
function element(xml: string, name: string): string | undefined {
  const match = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)
  return match?.[1]
    ?.replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, '&')
}

/**
 * The exception for an answer of OSS that is not success. Only code, message and ids are taken: StringToSign and CanonicalRequest
 * in a SignatureDoesNotMatch hold the security token. `serverNowMs` is what a Retry-After date is counted from.
 */
export function ossErrorFromReply(reply: PartReply, partNumber: number, serverNowMs: number): ServiceException<'oss'> {
  const code = element(reply.text, 'Code') ?? `HTTP ${reply.status}`
  const words = (element(reply.text, 'Message') ?? 'no error document').slice(0, 300)
  return new ServiceException({
    from: 'oss',
    status: reply.status,
    code,
    message: `OSS refused part ${partNumber}: ${words} (${code}, HTTP ${reply.status})`,
    requestId: reply.header('x-oss-request-id') ?? element(reply.text, 'RequestId'),
    hostId: element(reply.text, 'HostId'),
    ec: reply.header('x-oss-ec') ?? element(reply.text, 'EC'),
    retryAfterMs: askedDelayMs((name) => reply.header(name), serverNowMs),
  })
}
