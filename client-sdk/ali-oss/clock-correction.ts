import type { ServerClock } from '../clock.ts'

/** OSS takes no request that is signed 15 minutes early or late. A clock that is less off than this is left alone. */
const tolerableMs = 300_000

/**
 * What makes ali-oss sign with the server's time. In browsers it corrects its clock by itself when OSS complains, and must not be disturbed;
 * in Node it signs with the machine's, wrong or not, but heeds the option that browsers use. Source: ali-oss 6.23, createRequest.js and
 * browser/client.js.
 */
export function clockCorrection(serverClock: ServerClock): { amendTimeSkewed?: number } {
  const { process } = globalThis as { process?: { release?: { name?: string } } }
  if (process?.release?.name !== 'node') return {}
  const skewMs = Math.round(serverClock.nowMs() - Date.now())
  return { amendTimeSkewed: Math.abs(skewMs) > tolerableMs ? skewMs : 0 }
}
