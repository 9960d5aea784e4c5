import type { AdminUploadDetail } from '@partway/client/contract'
import type { ComponentChildren } from 'preact'
import { percentOf, sizeText } from '../shared/figures.ts'
import { Moment } from './moment.tsx'
import { costText, shownName, stateWords } from './words.ts'

interface UploadFactsProps {
  detail: AdminUploadDetail
  now: number
  onTenant: (name: string) => void
}

/** An upload's facts, each with its name. */
export function UploadFacts({ detail, now, onTenant }: UploadFactsProps) {
  const { upload, metadata, fingerprint, ossUploadId } = detail
  const { storedBytes, sizeBytes, storedBytesReadAt, grantsAliveUntil, abortReason } = upload
  const isAlive = grantsAliveUntil !== null && Date.parse(grantsAliveUntil) > now
  return (
    <dl class="facts">
      <Fact name="State">
        {stateWords[upload.state]}
        {abortReason !== null && ` (${abortReason})`}
        {upload.isStale && <span class="stale">stale</span>}
        {upload.isAdopted && <span class="tag">adopted</span>}
      </Fact>
      <Fact name="Held">
        {sizeText(storedBytes)}, {percentOf(storedBytes, sizeBytes)}% of {sizeText(sizeBytes)}
        {upload.monthlyCost !== null && `, ${costText(upload.monthlyCost)} a month`}
        <span class="quiet">
          {storedBytesReadAt === null ? (
            ' as the client reported'
          ) : (
            <>
              {' '}
              read from OSS <Moment at={storedBytesReadAt} now={now} />
            </>
          )}
        </span>
      </Fact>
      <Fact name="Grants">
        {isAlive ? (
          <>
            somebody may still send: the last one ends <Moment at={grantsAliveUntil} now={now} />
          </>
        ) : (
          'none is alive'
        )}
      </Fact>
      <Fact name="Owner">
        {upload.subject !== upload.tenant && (
          <>
            <bdi>{shownName(upload.subject)}</bdi> of{' '}
          </>
        )}
        <button
          type="button"
          class="link"
          onClick={() => onTenant(upload.tenant)}
          aria-label={`Limits of ${shownName(upload.tenant)}`}
        >
          <bdi>{shownName(upload.tenant)}</bdi>
        </button>
      </Fact>
      <Fact name="Key">
        <code>{shownName(upload.key)}</code>
      </Fact>
      <Fact name="Bucket">{upload.bucket}</Fact>
      <Fact name="Content type">{shownName(upload.contentType)}</Fact>
      <Fact name="Id">
        <code>{upload.id}</code>
      </Fact>
      {ossUploadId !== null && (
        <Fact name="Id at OSS">
          <code>{ossUploadId}</code>
        </Fact>
      )}
      {fingerprint !== null && (
        <Fact name="Fingerprint">
          <code>{shownName(fingerprint)}</code>
        </Fact>
      )}
      {Object.entries(metadata).map(([name, value]) => (
        <Fact key={name} name={name}>
          <bdi>{shownName(value)}</bdi>
        </Fact>
      ))}
    </dl>
  )
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
