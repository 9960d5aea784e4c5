import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import type { ReplyProblem } from './reply-problem.ts'
import type { Resource } from './use-resource.ts'
import { clockText } from './words.ts'

interface PanelProps {
  title: string
  /** For whoever leads the keyboard here. */
  titleId?: string
  /** What it is read from; says when, and what went wrong. */
  resource: Resource<unknown>
  class?: string
  /** Beside the title. */
  actions?: ComponentChildren
  children: ComponentChildren
}

/** One section of the board. It fails alone: what it shows stays, with a note that it is of earlier. */
export function Panel({ title, titleId, resource, class: name = '', actions, children }: PanelProps) {
  const ownId = useId()
  const id = titleId ?? ownId
  return (
    <section class={`section ${name}`} aria-labelledby={id} aria-busy={resource.isLoading}>
      <div class="heading">
        <h2 id={id} tabIndex={-1}>
          {title}
        </h2>
        <ReadAt resource={resource} />
        {actions}
      </div>
      {resource.problem && <ProblemNote problem={resource.problem} onRetry={resource.reload} />}
      {children}
    </section>
  )
}

function ReadAt({ resource: { readAt, isLoading } }: { resource: Resource<unknown> }) {
  if (readAt === undefined) return <p class="read">{isLoading ? 'reading …' : ''}</p>
  return <p class="read">read {clockText(readAt)}</p>
}

/** What the server said. With `onRetry`: of something that is asked again by itself once the server can be, and at once by a button. */
export function ProblemNote({ problem, onRetry }: { problem: ReplyProblem; onRetry?: () => void }) {
  const wait = problem.retryAfterMs
  return (
    <div class="note bad" role="alert">
      <p>
        {problem.message}
        {wait !== null && wait > 0 && ` ${onRetry ? 'It is asked again' : 'Try again'} in ${Math.ceil(wait / 1000)} s.`}
        {problem.requestId !== null && (problem.status ?? 0) >= 500 && (
          <span class="quiet"> Request {problem.requestId}</span>
        )}
      </p>
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  )
}

/** Stands where rows will be, as tall as a few of them, so that nothing jumps. */
export function Placeholder({ lines }: { lines: number }) {
  return (
    <div class="placeholder" aria-hidden="true">
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  )
}
