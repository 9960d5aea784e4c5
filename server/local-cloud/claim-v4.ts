import { timestampV4, UNSIGNED_PAYLOAD } from '@partway/client/contract'
import { invalidArgument } from './oss-error.ts'
import type { OssRequest } from './oss-request.ts'
import type { VerifyDeps } from './signature-rules.ts'

/* What a V4 request claims about its own signature, read and checked for form. */

/** `<AccessKeyId>/<yyyyMMdd>/<region>/oss/aliyun_v4_request` */
export function readCredential(deps: VerifyDeps, text: string | undefined, where: string) {
  if (text === undefined) throw invalidArgument(`Missing credential ${where}.`, 'Credential', '', '0002-00000217')
  if (text.trim() === '') throw invalidArgument(`Blank credential ${where}.`, 'Credential', text, '0002-00000218')
  const [accessKeyId = '', date = '', region = '', product = '', request = '', ...rest] = text.split('/')
  if (!/^[\w.\-@]{1,128}$/.test(accessKeyId)) {
    throw invalidArgument(`Invalid AccessKeyId ${where}.`, 'Credential', text.slice(0, 200), '0002-00000206')
  }
  if (!/^\d{8}$/.test(date)) throw invalidArgument(`Invalid signing date ${where}.`, 'Credential', date.slice(0, 40))
  if (region !== deps.region) {
    throw invalidArgument(`Invalid signing region ${where}.`, 'Credential', region.slice(0, 80), '0002-00000226')
  }
  if (product !== 'oss') {
    throw invalidArgument(`Invalid signing product ${where}.`, 'Credential', product.slice(0, 80), '0002-00000227')
  }
  if (request !== 'aliyun_v4_request' || rest.length > 0) {
    throw invalidArgument(`Invalid signing request ${where}.`, 'Credential', request.slice(0, 80))
  }
  return { accessKeyId, date }
}

/** Names of additional headers; none when the field is absent. */
export function readAdditional(text: string | undefined): string[] {
  if (text === undefined) return []
  if (text === '') throw invalidArgument('Additional headers are empty.', 'AdditionalHeaders', '', '0002-00000209')
  const names = text.split(';')
  if (names.some((name) => name.trim() === '')) {
    throw invalidArgument(
      'Additional headers contain an empty name.',
      'AdditionalHeaders',
      text.slice(0, 200),
      '0002-00000210',
    )
  }
  return names
}

/** Throws unless the body is declared unsigned, which is all the service takes. */
export function checkPayloadHash(value: string | undefined): void {
  if (value === undefined || value === UNSIGNED_PAYLOAD) return
  const message = `x-oss-content-sha256 must be ${UNSIGNED_PAYLOAD}.`
  throw invalidArgument(message, 'x-oss-content-sha256', value.slice(0, 100), '0002-00000214')
}

/** The text under the signature: `x-oss-date`, or the HTTP date where that is absent. */
export function headerTimestamp(request: OssRequest): string {
  const own = request.headers['x-oss-date']
  if (own !== undefined) return own
  const date = new Date(request.headers.date ?? '')
  return Number.isNaN(date.getTime()) ? '' : timestampV4(date)
}

/** Milliseconds since the epoch, or null for anything but `yyyyMMdd'T'HHmmss'Z'`. */
export function parseTimestamp(text: string): number | null {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text)
  if (!match) return null
  const [, year, month, day, hour, minute, second] = match
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(at) ? null : at
}
