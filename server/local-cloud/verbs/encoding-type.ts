import { encodeRfc3986 } from '@partway/client/contract'
import { invalidArgument } from '../oss-error.ts'
import type { OssRequest } from '../oss-request.ts'
import type { XmlElement } from '../xml.ts'

/** How keys are written in an answer: as they are, or percent-encoded when the caller asked for `encoding-type=url`. */
export interface KeyEncoding {
  readonly apply: (text: string) => string
  /** `EncodingType`, where one was asked for. */
  readonly element: readonly XmlElement[]
}

export function encodingOf(request: OssRequest): KeyEncoding {
  const type = request.params.get('encoding-type')
  if (type === undefined || type === '') return { apply: (text) => text, element: [] }
  if (type !== 'url')
    throw invalidArgument('Invalid Encoding Method specified in Request', 'encoding-type', type.slice(0, 100))
  return { apply: encodeRfc3986, element: [['EncodingType', 'url']] }
}
