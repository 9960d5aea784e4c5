import { onAbort } from '../abort-link.ts'
import { ClientException } from '../errors.ts'
import type { PartDigest } from '../hashing.ts'
import { type HashCall, type HashReply, signOfLifeMs } from './hash-messages.ts'

/** No worker could be started, or it died. The same bytes may be hashed elsewhere. */
export class WorkerLost extends Error {}

export interface WorkerHashing {
  /** Without MD5, that of nothing comes back. Throws ClientException when the Blob cannot be read, {@link WorkerLost}, or the signal's reason. */
  digest(blob: Blob, withMd5: boolean, signal: AbortSignal | undefined): Promise<PartDigest>
}

interface Job {
  resolve(digest: PartDigest): void
  reject(error: unknown): void
}

/** A worker with nothing to do goes after this long. */
const idleMs = 20_000
/** A worker that says nothing for this long is dead, or its script does not arrive. */
const silenceMs = 5 * signOfLifeMs

/** Hashes in one worker at a time, which `start` makes when there is something to do. */
export function createWorkerHashing(start: () => Worker): WorkerHashing {
  const jobs = new Map<number, Job>()
  let worker: Worker | undefined
  let lastId = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function stop() {
    clearTimeout(timer)
    worker?.terminate()
    worker = undefined
  }

  function lose() {
    stop()
    const lost = [...jobs.values()]
    jobs.clear()
    for (const job of lost) job.reject(new WorkerLost())
  }

  /** Whatever the worker says sets the time back that it may be silent. */
  function watch() {
    clearTimeout(timer)
    timer = jobs.size > 0 ? setTimeout(lose, silenceMs) : setTimeout(stop, idleMs)
  }

  function hear(reply: HashReply) {
    if (reply.id !== undefined) {
      const job = jobs.get(reply.id)
      jobs.delete(reply.id)
      if ('digest' in reply) job?.resolve(reply.digest)
      else if (reply.error.code === 'unexpected') job?.reject(new WorkerLost(reply.error.message))
      else job?.reject(new ClientException(reply.error.code, reply.error.message))
    }
    watch()
  }

  function started(): Worker {
    if (worker) return worker
    let made: Worker
    try {
      made = start()
    } catch {
      // A policy that some browsers enforce here, others by the error event. Or a script of another origin.
      throw new WorkerLost()
    }
    const ifCurrent = (run: () => void) => () => void (worker === made && run())
    made.addEventListener('message', ({ data }: MessageEvent<HashReply>) => ifCurrent(() => hear(data))())
    made.addEventListener('error', (event) => {
      event.preventDefault()
      ifCurrent(lose)()
    })
    made.addEventListener('messageerror', ifCurrent(lose))
    worker = made
    return made
  }

  return {
    digest(blob, withMd5, signal) {
      return new Promise((resolve, reject) => {
        signal?.throwIfAborted()
        const hashing = started()
        lastId += 1
        const id = lastId
        const say = (call: HashCall) => hashing.postMessage(call)
        const forget = signal
          ? onAbort(signal, () => {
              if (jobs.delete(id)) say({ id })
              watch()
              reject(signal.reason)
            })
          : () => {}
        jobs.set(id, {
          resolve(digest) {
            forget()
            resolve(digest)
          },
          reject(error) {
            forget()
            reject(error)
          },
        })
        say({ id, blob, withMd5 })
        if (jobs.size === 1) watch()
      })
    },
  }
}
