import type { WebhookConfig } from '../../config.ts'
import { AddressRefused, addressesOf, hostOf, type ResolveHost } from '../../webhook/public-address.ts'
import { type Finding, failed, ok } from './finding.ts'

/** Whether events can be sent to the webhook's host, as far as its name says. Nothing is sent, and the rest of the URL is shown to nobody. */
export async function checkWebhook({ url, allowPrivate }: WebhookConfig, resolve?: ResolveHost): Promise<Finding> {
  const host = hostOf(url)
  try {
    const addresses = await addressesOf(host, { allowPrivate, resolve })
    const kind = allowPrivate ? '' : 'public '
    return ok(`events are sent to ${host}, at ${kind}${addresses.map(({ address }) => address).join(', ')}`)
  } catch (error) {
    if (!(error instanceof AddressRefused)) throw new Error(`${host} cannot be resolved.`, { cause: error })
    return failed(`${error.message}: no event is sent there, unless WEBHOOK_ALLOW_PRIVATE=true`)
  }
}
