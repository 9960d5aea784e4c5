import { ClientException } from '../errors.ts'
import type { ExplainFailure } from '../explain-failure.ts'

/** A balancer whose server is being restarted may hide its answers, too, but not for long: asked this often before it is said. */
const rounds = 3
const pauseMs = 2500
const timeoutMs = 8000

/**
 * Why the browser hides what `url` answers. Its host is asked, without query, token or signature, in two ways: by a request that needs
 * nobody's consent, and by one that OSS or server must consent to by their CORS rules, and that can change nothing.
 */
export const explainFailure: ExplainFailure = async (url, of, signal) => {
  const { origin, pathname } = new URL(url)
  const target = origin + pathname
  for (let round = 1; ; round += 1) {
    const reply = await reach(target, signal)
    if (reply === 'forbidden') return cspBlocked(of, origin)
    if (reply === 'nothing') return undefined
    const consent = await askConsent(of, target, true)
    if (consent !== 'refused') return undefined
    if (round === rounds) break
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    signal?.throwIfAborted()
  }
  const mayWithoutHeaders = of === 'oss' && (await askConsent(of, target, false)) === 'given'
  signal?.throwIfAborted()
  return corsBlocked(of, origin, mayWithoutHeaders)
}

/** Whether the host answers a request whose answer nobody will see. */
async function reach(target: string, signal: AbortSignal | undefined): Promise<'something' | 'nothing' | 'forbidden'> {
  const { origin } = new URL(target)
  let isForbidden = false
  const onViolation = (event: SecurityPolicyViolationEvent) => {
    const isOurs = URL.canParse(event.blockedURI) && new URL(event.blockedURI).origin === origin
    if (isOurs && event.disposition === 'enforce') isForbidden = true
  }
  addEventListener('securitypolicyviolation', onViolation)
  try {
    await fetch(target, {
      method: 'HEAD',
      mode: 'no-cors',
      credentials: 'omit',
      cache: 'no-store',
      signal: AbortSignal.timeout(timeoutMs),
    })
    return 'something'
  } catch {
    // The event comes a moment after the failure.
    await new Promise((resolve) => setTimeout(resolve, 50))
    return isForbidden ? 'forbidden' : 'nothing'
  } finally {
    removeEventListener('securitypolicyviolation', onViolation)
    signal?.throwIfAborted()
  }
}

/**
 * Whether the browser sends what needs consent: it asks first, and sends the body only then. That is all we need to know, whatever the
 * answer is, or whether it can be read.
 *
 * To OSS it is an UploadPart as the upload makes them, but unsigned and for an upload id that cannot exist: a private bucket answers
 * AccessDenied, one that anybody may write to NoSuchUpload. To the server it is a PUT with a token that is none.
 */
function askConsent(
  of: 'oss' | 'server',
  target: string,
  withHeaders: boolean,
): Promise<'given' | 'refused' | 'unknown'> {
  return new Promise((resolve) => {
    const xhr = new XMLHttpRequest()
    xhr.upload.onprogress = () => resolve('given')
    xhr.upload.onload = () => resolve('given')
    xhr.onload = () => resolve('given')
    xhr.onerror = () => resolve('refused')
    xhr.ontimeout = () => resolve('unknown')
    xhr.open('PUT', of === 'oss' ? `${target}?partNumber=1&uploadId=partway-asks-for-cors` : target)
    xhr.timeout = timeoutMs
    if (withHeaders) {
      if (of === 'oss') xhr.setRequestHeader('content-md5', 'xMpCOKC5I4INzFCab3WEmw==')
      else xhr.setRequestHeader('authorization', 'Bearer none')
    }
    // A body, so that its way can be watched. Its MD5 is the one above.
    xhr.send(new Uint8Array([49]))
  })
}

function corsBlocked(of: 'oss' | 'server', origin: string, mayWithoutHeaders: boolean): ClientException {
  const page = location.origin
  if (of === 'server') {
    const words = `The server at ${origin} does not answer pages of ${page}: add that origin to its CORS_ORIGINS`
    return new ClientException('cors-blocked', words)
  }
  const lacking = mayWithoutHeaders
    ? `does not allow the header Content-MD5: set AllowedHeader to *`
    : `does not allow PUT from ${page}: it needs AllowedOrigin ${page}, AllowedMethod PUT and AllowedHeader *`
  return new ClientException('cors-blocked', `The CORS rule of the bucket at ${origin} ${lacking}`)
}

function cspBlocked(of: 'oss' | 'server', origin: string): ClientException {
  const whom = of === 'oss' ? 'OSS' : 'the server'
  const words = `This page's Content-Security-Policy keeps it from ${whom}: add ${origin} to its connect-src`
  return new ClientException('csp-blocked', words)
}
