/**
 * The moments between two effects at which a crash leaves the database and OSS telling different stories. Use cases name them as they
 * pass, so that the fault tests can kill the process at each one. Nothing happens there in production.
 */
export const crashPoints = [
  'create: row written',
  'create: multipart upload initiated',
  'create: upload id stored',
  'complete: intent recorded',
  'complete: parts checked',
  'complete: parts joined',
  'complete: object verified',
  'complete: outcome recorded',
  'abort: intent recorded',
  'abort: parts discarded',
  'abort: outcome recorded',
] as const

export type CrashPoint = (typeof crashPoints)[number]

/** Called by a use case when it passes a crash point. */
export type Passed = (point: CrashPoint) => void

/** Kills this process, as `kill -9` would, the first time it passes `point`. */
export function crashAt(point: CrashPoint): Passed {
  return (passed) => {
    if (passed === point) process.kill(process.pid, 'SIGKILL')
  }
}
