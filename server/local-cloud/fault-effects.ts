import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultEffect } from './faults.ts'
import { OssError } from './oss-error.ts'
import type { BodyFilter } from './request-body.ts'
import type { OssReply } from './verb.ts'
import { renderXml } from './xml.ts'

/** Thrown to make the connection end without an answer. */
export class ConnectionCut extends Error {}

/** What happens before a request is looked at. Throws the fault's answer, or ConnectionCut. */
export async function applyStartFaults(effects: readonly FaultEffect[]): Promise<void> {
  for (const effect of effects) {
    if (effect.kind === 'delay' && effect.at !== 'reply') await sleep(effect.delayMs)
    if (effect.kind === 'cut' && effect.at === 'start') throw new ConnectionCut()
    if (effect.kind === 'throttle') throw throttled(effect.delayMs)
    if (effect.kind === 'answer' && effect.at !== 'after-commit') throw faultAnswer(effect)
  }
}

/** What happens to the body on its way in. */
export function bodyFilters(effects: readonly FaultEffect[]): BodyFilter[] {
  return effects.flatMap((effect): BodyFilter[] => {
    if (effect.kind === 'cut' && effect.at === 'body') return [(chunks) => cutAfter(chunks, effect.afterBytes ?? 0)]
    if (effect.kind === 'corrupt' && effect.what === 'received') return [flipFirstByte]
    return []
  })
}

/** What happens to a finished answer, when the work is done. Throws ConnectionCut for a lost reply. */
export async function applyReplyFaults(effects: readonly FaultEffect[], reply: OssReply): Promise<OssReply> {
  let changed = reply
  for (const effect of effects) {
    if (effect.kind === 'delay' && effect.at === 'reply') await sleep(effect.delayMs)
    if (effect.kind === 'cut' && effect.at === 'reply') throw new ConnectionCut()
    if (effect.kind === 'answer' && effect.at === 'after-commit') throw faultAnswer(effect)
    if (effect.kind === 'empty-body') changed = { ...changed, status: 200, body: '' }
    if (effect.kind === 'error-in-body') {
      const { code, message = 'A fault rule asked for this.' } = effect
      changed = {
        status: 200,
        headers: { 'Content-Type': 'application/xml' },
        body: renderXml([
          'Error',
          [
            ['Code', code],
            ['Message', message],
          ],
        ]),
      }
    }
    if (effect.kind === 'corrupt' && effect.what === 'etag')
      changed = withHeader(changed, 'ETag', '"00000000000000000000000000000000"')
    if (effect.kind === 'corrupt' && effect.what === 'crc64') changed = withHeader(changed, 'x-oss-hash-crc64ecma', '1')
  }
  return changed
}

/** How far the cloud's clock is off for a request. */
export function clockOffsetMs(effects: readonly FaultEffect[]): number {
  return effects.reduce((sum, effect) => (effect.kind === 'clock' ? sum + effect.offsetMs : sum), 0)
}

function faultAnswer(effect: FaultEffect & { kind: 'answer' }): OssError {
  const { status, code, message = 'A fault rule asked for this.', headers = {} } = effect
  return new OssError(status, code, message, { headers })
}

function throttled(delayMs: number): OssError {
  return new OssError(503, 'ServiceUnavailable', 'Please reduce your request rate.', {
    headers: { 'x-oss-qos-delay-time': String(delayMs) },
  })
}

function withHeader(reply: OssReply, name: string, value: string): OssReply {
  return { ...reply, headers: { ...reply.headers, [name]: value } }
}

async function* cutAfter(chunks: AsyncIterable<Uint8Array>, afterBytes: number): AsyncIterable<Uint8Array> {
  let left = afterBytes
  for await (const chunk of chunks) {
    left -= chunk.length
    if (left < 0) throw new ConnectionCut()
    yield chunk
  }
  throw new ConnectionCut()
}

async function* flipFirstByte(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let isFirst = true
  for await (const chunk of chunks) {
    if (isFirst && chunk.length > 0) chunk[0] = (chunk[0] ?? 0) ^ 0xff
    isFirst = false
    yield chunk
  }
}
