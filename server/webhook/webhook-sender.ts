import { Webhook } from 'standardwebhooks'
import { Agent, request } from 'undici'
import type { WebhookConfig } from '../config.ts'
import { createGuardedConnector } from './guarded-connector.ts'
import { AddressRefused, type ResolveHost } from './public-address.ts'

const TIMEOUT_MS = 10_000
/** Read of an answer, so that its connection can be used again; past it the connection is closed. */
const MAX_ANSWER_BYTES = 16_384

/** What an attempt came to. Only 2xx is `delivered`: a redirect is followed nowhere, and 410 is a failure like any other. */
export type Delivery =
  | { outcome: 'delivered'; status: number }
  | { outcome: 'refused'; status: number }
  | { outcome: 'address-refused' | 'timeout' | 'unreachable'; error: Error }

export interface WebhookSender {
  /** Posts `body` under the id, signed now. Resolves within 10 s, whatever the receiver does; rejects only when `signal` fires. */
  send(message: { id: string; body: string }, signal: AbortSignal): Promise<Delivery>
  close(): Promise<void>
}

/** Sends as Standard Webhooks says. Source: the specification's "Webhook headers (sending metadata to consumers)". */
export function createWebhookSender(
  { url, secret, allowPrivate }: WebhookConfig,
  { now, resolve, connections }: { now: () => Date; resolve?: ResolveHost | undefined; connections: number },
): WebhookSender {
  const webhook = new Webhook(secret)
  const dispatcher = new Agent({ connect: createGuardedConnector({ allowPrivate, resolve }), connections })
  return {
    async send({ id, body }, signal) {
      const at = now()
      const timeout = AbortSignal.timeout(TIMEOUT_MS)
      const bounded = AbortSignal.any([signal, timeout])
      try {
        const { statusCode: status, body: answer } = await request(url, {
          method: 'POST',
          dispatcher,
          signal: bounded,
          headers: {
            'content-type': 'application/json',
            'user-agent': 'Partway',
            'webhook-id': id,
            'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
            'webhook-signature': webhook.sign(id, at, body),
          },
          body,
        })
        // The status says it all: an answer that breaks off or never ends changes nothing.
        await answer.dump({ limit: MAX_ANSWER_BYTES, signal: bounded }).catch(() => {})
        return { outcome: status >= 200 && status < 300 ? 'delivered' : 'refused', status }
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof Error)) throw error
        return { outcome: timeout.aborted ? 'timeout' : outcomeOf(error), error }
      }
    },
    close: () => dispatcher.destroy(),
  }
}

function outcomeOf(error: Error): 'address-refused' | 'unreachable' {
  return error instanceof AddressRefused || error.cause instanceof AddressRefused ? 'address-refused' : 'unreachable'
}
