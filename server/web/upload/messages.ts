import {
  type ClientErrorCode,
  type ClientException,
  isServerProblem,
  type ProblemCode,
  type ServiceException,
  type UploadNotice,
} from '@partway/client'
import { durationText } from '../shared/figures.ts'

/** What the user can do about a failure, as a button beside it. */
export type Remedy = 'retry' | 'start-over' | 'choose-again'

/** What happened, and what to do. */
export interface Message {
  title: string
  advice: string
  remedies: readonly Remedy[]
}

const retry = ['retry'] as const
const none = [] as const
const seeDoctor = 'Whoever runs this server: “npx partway doctor” checks this and prints what to set.'

const reachable = {
  title: 'The upload cannot get through',
  advice:
    'Neither the server nor OSS could be reached for some time. Check the connection, then try again: what is stored stays.',
  remedies: retry,
}
const changed = {
  title: 'The file has changed since its upload was begun',
  advice:
    'Old and new bytes are never mixed. Start over to upload the file as it is now; what is stored of the old one ends by itself.',
  remedies: ['start-over'],
} as const
const ended = {
  title: 'The upload was ended elsewhere',
  advice: 'Somebody cancelled it, or it had waited for too long. Try again to upload the file from its beginning.',
  remedies: retry,
}
const signedOut = {
  title: 'Waiting for you to sign in',
  advice: 'The server takes the token no longer. Sign in above, and the upload goes on by itself.',
  remedies: none,
}
const serverDown = {
  title: 'The server is not working right now',
  advice: 'It has no access to its database or to object storage. What is stored stays: try again later.',
  remedies: retry,
}
const defect = {
  title: 'Something went wrong that should not',
  advice: 'Try again. If it stays, tell whoever runs this server.',
  remedies: retry,
}

/** Failures on this side of the wire. The compiler asks for a message for each code. */
const ofClient: Record<ClientErrorCode, Message> = {
  cancelled: { title: 'Cancelled', advice: 'Try again to upload the file after all.', remedies: retry },
  network: reachable,
  timeout: reachable,
  'source-changed': changed,
  'source-unreadable': {
    title: 'The file cannot be read any more',
    advice: 'It was moved, changed or deleted, or its drive was removed. Choose it again to go on.',
    remedies: ['choose-again'],
  },
  'invalid-argument': { ...defect, title: 'This file cannot be uploaded', remedies: none },
  'token-unavailable': signedOut,
  'invalid-reply': {
    title: 'That is not the Partway server that answers',
    advice: 'A proxy or a sign-in page of your network may stand in between. Open this page anew, then try again.',
    remedies: retry,
  },
  'upload-ended': ended,
  corrupted: {
    title: 'The bytes that arrive are not those that were sent',
    advice: 'Something between here and OSS damages them; OSS refused every one of them. Try again on another network.',
    remedies: retry,
  },
  'cors-blocked': {
    title: 'The bucket does not take uploads from this page',
    advice: `Its CORS rules do not name ${globalThis.location?.origin ?? 'this page'}. ${seeDoctor}`,
    remedies: retry,
  },
  'csp-blocked': {
    title: 'This page is not allowed to reach OSS',
    advice: `Its Content-Security-Policy names another address than the upload goes to. Reload the page. Whoever runs this server: check OSS_PUBLIC_ENDPOINT, and what a proxy in front adds.`,
    remedies: retry,
  },
  unexpected: defect,
}

/** Problems the server answers, by their code. */
const ofServer: Record<ProblemCode, Message> = {
  'invalid-request': { ...defect, title: 'The server cannot take this file', remedies: none },
  unauthenticated: signedOut,
  forbidden: {
    title: 'Your token does not allow this upload',
    advice: 'It lacks the scope “uploads”, or the upload is somebody else’s. Sign in with another token.',
    remedies: retry,
  },
  'tenant-suspended': {
    title: 'Uploads of your organisation are suspended',
    advice: 'Ask whoever runs this server. What is stored stays for now.',
    remedies: retry,
  },
  'not-found': ofClient['invalid-reply'],
  'method-not-allowed': ofClient['invalid-reply'],
  'upload-not-found': ended,
  'parts-missing': { ...defect, title: 'OSS lacks parts that were sent' },
  'part-mismatch': { ...defect, title: 'OSS has other parts than were sent' },
  'upload-state-conflict': ended,
  'credentials-disabled': defect,
  'upload-gone': ended,
  'upload-expired': ended,
  'file-too-large': {
    title: 'The file is larger than allowed',
    advice: 'The server, or your token, sets a limit.',
    remedies: none,
  },
  'payload-too-large': defect,
  'unsupported-media-type': defect,
  'idempotency-key-reused': defect,
  'content-type-not-allowed': {
    title: 'Files of this type are not allowed',
    advice: 'The server, or your token, takes only certain types.',
    remedies: none,
  },
  'rate-limited': {
    title: 'Too many requests',
    advice: 'The server asks to wait. Try again in a while; what is stored stays.',
    remedies: retry,
  },
  'quota-exceeded': {
    title: 'The quota is used up',
    advice: 'There is no room left for this file. Remove others, or ask for more; then try again.',
    remedies: retry,
  },
  internal: defect,
  'storage-unavailable': serverDown,
  'database-unavailable': serverDown,
  'credentials-unavailable': serverDown,
}

/** Refusals of OSS, by their code; the many others have one message. */
const ofOss: Readonly<Record<string, Message>> = {
  AccessDenied: {
    title: 'OSS does not allow the upload',
    advice: `The server signed it, but lacks the right itself. ${seeDoctor}`,
    remedies: retry,
  },
  SignatureDoesNotMatch: {
    title: 'OSS does not accept the server’s signature',
    advice: `A proxy may change the requests, or the server’s key is wrong. ${seeDoctor}`,
    remedies: retry,
  },
  NoSuchBucket: { title: 'The bucket does not exist', advice: seeDoctor, remedies: retry },
}

/** Where the SDK's own words help whoever repairs it. */
const detailed: readonly ClientErrorCode[] = [
  'cors-blocked',
  'csp-blocked',
  'invalid-argument',
  'invalid-reply',
  'unexpected',
]

/** What to tell about a failure. Messages of the SDK's exceptions hold no URL and no token, so their words may be shown. */
export function messageOf(error: ClientException | ServiceException): Message {
  if (!('status' in error)) {
    const message = ofClient[error.code]
    return detailed.includes(error.code) ? { ...message, advice: `${message.advice} (${error.message}.)` } : message
  }
  const known = isServerProblem(error) ? ofServer[error.code] : ofOss[error.code]
  const message = known ?? { title: `OSS refused the upload: ${error.code}`, advice: seeDoctor, remedies: retry }
  const detail =
    isServerProblem(error) && error.status < 500 && error.status !== 401 ? error.problem?.detail : undefined
  const request = error.requestId === undefined || error.status === 401 ? undefined : `Request ${error.requestId}.`
  return { ...message, advice: [message.advice, detail, request].filter(Boolean).join(' ') }
}

/** Whether the failure ends by itself once somebody has signed in. */
export function isOfSignIn(error: ClientException | ServiceException | undefined): boolean {
  return error?.code === 'token-unavailable' || (isServerProblem(error) && error.code === 'unauthenticated')
}

/** What a row says while an upload goes on by itself. Undefined for what needs no words. */
export function hintOf(notice: UploadNotice): string | undefined {
  switch (notice.type) {
    case 'retry':
      // The first failure of a request is everyday life on a phone.
      return notice.failures < 2
        ? undefined
        : `${reasonOf(notice)} Next attempt in ${durationText(notice.delayMs / 1000)}.`
    case 'restarted':
      return notice.reason === 'source-changed'
        ? 'The file has changed, so it is uploaded from its beginning.'
        : 'What was stored is gone, so the file is uploaded from its beginning.'
    default:
      return undefined
  }
}

/** What the whole page says once, quietly: the uploads are as safe as before. */
export function pageHintOf(notice: UploadNotice): string | undefined {
  switch (notice.type) {
    case 'headers-hidden':
      return `OSS hides its checksums from this page: the bucket’s CORS rule does not expose them. Every part is checked all the same. ${seeDoctor}`
    case 'record-unavailable':
      return 'This browser keeps no notes here, as in a private window. After a reload, choose an unfinished file again.'
    default:
      return undefined
  }
}

function reasonOf({ of, error }: Extract<UploadNotice, { type: 'retry' }>): string {
  const who = of === 'server' ? 'The server' : 'OSS'
  if (!('status' in error)) return `${who} cannot be reached.`
  if (error.code === 'quota-exceeded') return 'The quota is used up: room comes when another upload ends.'
  return error.status === 429 ? `${who} asks to slow down.` : `${who} has a problem (${error.code}).`
}
