import type { VerbContext } from '../verb.ts'
import type { XmlElement } from '../xml.ts'

/** Everything belongs to the one account of the cloud. */
export function ownerElement({ accountId }: Pick<VerbContext, 'accountId'>): XmlElement {
  return [
    'Owner',
    [
      ['ID', accountId],
      ['DisplayName', accountId],
    ],
  ]
}
