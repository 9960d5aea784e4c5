import type { KnownPart } from '@partway/client/contract'
import { useEffect, useRef, useState } from 'preact/hooks'
import { sizeText } from '../shared/figures.ts'
import type { AdminApi } from './admin-api.ts'
import { ProblemNote } from './panel.tsx'
import { asReplyProblem, type ReplyProblem } from './reply-problem.ts'

interface PartsTableProps {
  api: AdminApi
  uploadId: string
  first: readonly KnownPart[]
  nextAfter: number | null
}

/** Every known part with its figures; a thousand at a time. */
export function PartsTable({ api, uploadId, first, nextAfter }: PartsTableProps) {
  const [more, setMore] = useState<{ parts: readonly KnownPart[]; nextAfter: number | null }>({ parts: [], nextAfter })
  const [problem, setProblem] = useState<ReplyProblem>()
  const reading = useRef<AbortController | undefined>(undefined)
  const parts = [...first, ...more.parts]

  // What follows other first ones is read from there again.
  useEffect(() => {
    setMore({ parts: [], nextAfter })
    return () => reading.current?.abort()
  }, [first, nextAfter])

  async function readMore() {
    reading.current?.abort()
    const own = new AbortController()
    reading.current = own
    try {
      const query = { partsAfter: `${more.nextAfter}` }
      const reply = await api.call('getAdminUpload', { id: uploadId, query, signal: own.signal })
      if (own.signal.aborted) return
      setMore({ parts: [...more.parts, ...reply.parts], nextAfter: reply.nextPartsAfter })
      setProblem(undefined)
    } catch (error) {
      if (!own.signal.aborted) setProblem(asReplyProblem(error))
    }
  }

  return (
    <details class="known-parts">
      <summary>Parts, one by one</summary>
      <table class="rows">
        <thead>
          <tr>
            <th scope="col" class="number">
              Part
            </th>
            <th scope="col" class="number">
              Size
            </th>
            <th scope="col">ETag</th>
            <th scope="col" class="number wide">
              CRC-64
            </th>
          </tr>
        </thead>
        <tbody>
          {parts.map(({ partNumber, sizeBytes, etag, crc64 }) => (
            <tr key={partNumber}>
              <td class="number">{partNumber}</td>
              <td class="number">{sizeText(sizeBytes)}</td>
              <td>
                <code>{etag?.replaceAll('"', '') ?? '–'}</code>
              </td>
              <td class="number wide">{crc64 ?? '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {problem && <ProblemNote problem={problem} />}
      {more.nextAfter !== null && (
        <button type="button" onClick={() => void readMore()}>
          Show the next thousand
        </button>
      )}
    </details>
  )
}
