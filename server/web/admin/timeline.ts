/* One upload's life, from what is known of it. Pure. */
import type { AdminUploadDetail, UploadEvent } from '@partway/client/contract'
import { countText, durationText, sizeText } from '../shared/figures.ts'
import { shownName, stateWords } from './words.ts'

export interface Entry {
  at: number
  text: string
  tone: 'plain' | 'good' | 'bad'
}

/** A stretch of time in which something held. */
export interface Span {
  from: number
  to: number
}
export interface Lane {
  name: string
  spans: readonly Span[]
}

/** What happened and what is to come, in the order of time. */
export function entriesOf({ upload, grants, credentials, events }: AdminUploadDetail, now: number): Entry[] {
  const entries: Entry[] = []
  const add = (at: string | null, text: string, tone: Entry['tone'] = 'plain') => {
    if (at !== null) entries.push({ at: Date.parse(at), text, tone })
  }
  const tellsCreation = events.some((event) => event.kind === 'state-changed' && event.detail.from === null)
  if (!tellsCreation) add(upload.createdAt, upload.isAdopted ? 'Begun outside, and adopted' : 'Created')
  for (const event of events) add(event.createdAt, eventText(event), eventTone(event))
  for (const { createdAt, expiresAt, ttlSeconds, subject } of credentials) {
    add(createdAt, `Credentials handed to ${shownName(subject)}, for ${durationText(ttlSeconds)}`)
    if (Date.parse(expiresAt) > now) add(expiresAt, 'Credentials end')
  }
  if (grants.grantedParts > 0) {
    add(grants.lastGrantedAt, `Last part URL handed out, of ${grants.grantedParts.toLocaleString('en')}`)
    const isAlive = grants.aliveUntil !== null && Date.parse(grants.aliveUntil) > now
    add(grants.aliveUntil, isAlive ? 'The last part URL ends' : 'The last part URL ended')
  }
  if (upload.lastActivityAt !== upload.createdAt) add(upload.lastActivityAt, 'Last activity')
  const tellsCompletion = events.some((event) => event.kind === 'state-changed' && event.detail.to === 'completed')
  if (!tellsCompletion) add(upload.completedAt, 'Completed', 'good')
  if (upload.state !== 'completed' && upload.state !== 'aborted') {
    const isPast = Date.parse(upload.expiresAt) <= now
    add(upload.expiresAt, isPast ? 'Expired: the next sweep ends it' : 'Expires, if nothing more happens', 'bad')
  }
  return entries.sort((a, b) => a.at - b.at)
}

function eventText(event: UploadEvent): string {
  if (event.kind === 'object-changed') {
    return `The object was changed afterwards: ${event.detail.differences.map(({ what }) => what).join(', ')}`
  }
  if (event.kind === 'object-left') {
    return `Somebody else completed it: an object of ${sizeText(event.detail.sizeBytes)} is left`
  }
  const { from, to, abortReason } = event.detail
  if (from === null) return 'Created'
  if (to === null) return 'Taken back: OSS refused to start it'
  const why = abortReason === null ? '' : ` (${abortReason})`
  return `From ${stateWords[from]} to ${stateWords[to]}${why}`
}

function eventTone(event: UploadEvent): Entry['tone'] {
  if (event.kind !== 'state-changed') return 'bad'
  if (event.detail.to === 'completed') return 'good'
  return event.detail.to === 'aborted' || event.detail.to === 'aborting' || event.detail.to === null ? 'bad' : 'plain'
}

/** The same as stretches of one axis, which `whole` is: the upload itself, its part URLs, its credentials. */
export function lanesOf(
  { upload, grants, credentials }: AdminUploadDetail,
  now: number,
): { whole: Span; lanes: Lane[] } {
  const from = Date.parse(upload.createdAt)
  const isOver = upload.state === 'completed' || upload.state === 'aborted'
  const end = isOver ? Date.parse(upload.completedAt ?? upload.lastActivityAt) : Date.parse(upload.expiresAt)
  const lanes: Lane[] = [{ name: 'Upload', spans: [{ from, to: Math.max(end, from) }] }]
  if (grants.lastGrantedAt !== null && grants.aliveUntil !== null) {
    lanes.push({
      name: 'Part URLs',
      spans: [{ from: Date.parse(grants.lastGrantedAt), to: Date.parse(grants.aliveUntil) }],
    })
  }
  if (credentials.length > 0) {
    const spans = credentials.map(({ createdAt, expiresAt }) => ({
      from: Date.parse(createdAt),
      to: Date.parse(expiresAt),
    }))
    lanes.push({ name: countText(credentials.length, 'credential'), spans })
  }
  const to = Math.max(now, ...lanes.flatMap(({ spans }) => spans.map((span) => span.to)))
  return { whole: { from, to: Math.max(to, from + 1) }, lanes }
}
