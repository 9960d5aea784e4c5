import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { sizeText } from '../shared/figures.ts'
import { closeDialog, Modal } from './modal.tsx'
import { ProblemNote } from './panel.tsx'
import { asReplyProblem, type ReplyProblem } from './reply-problem.ts'
import { shownName } from './words.ts'

/** What is done with one thing, would be, or was. */
export interface ActionLine {
  id: string
  name: string
  owner: string | null
  bytes: number | null
  kind: 'done' | 'left' | 'failed'
  text: string
}

export interface ActionReport {
  /** One sentence: `2 uploads would be aborted, 1.2 GB freed; 1 is left`. */
  headline: string
  lines: readonly ActionLine[]
  /** Whether the same may find more. */
  more?: boolean
}

interface ActionDialogProps {
  title: string
  /** What is true of all of it, in a sentence or two. */
  advice: string
  /** For what `count` lines of kind `done` say will happen: `Abort 2 uploads`. */
  confirmText: (count: number) => string
  run: (isDryRun: boolean, signal?: AbortSignal) => Promise<ActionReport>
  /** While it is really done. */
  progress?: ComponentChildren
  /** With what was done, or undefined where nothing was. */
  onClose: (report: ActionReport | undefined) => void
}

type Phase = 'asking' | 'asked' | 'doing' | 'done' | 'refused'

/** Asks the server what would happen, shows it, and does it only when told to. */
export function ActionDialog({ title, advice, confirmText, run, progress, onClose }: ActionDialogProps) {
  const [phase, setPhase] = useState<Phase>('asking')
  const [report, setReport] = useState<ActionReport>()
  const [problem, setProblem] = useState<ReplyProblem>()
  const [round, setRound] = useState(0)
  const close = useRef<HTMLButtonElement>(null)
  const done = useRef<ActionReport | undefined>(undefined)
  const count = report?.lines.filter(({ kind }) => kind === 'done').length ?? 0

  useEffect(() => {
    const asking = new AbortController()
    setPhase('asking')
    setProblem(undefined)
    run(true, asking.signal).then(
      (planned) => {
        if (asking.signal.aborted) return
        setReport(planned)
        setPhase('asked')
      },
      (error: unknown) => {
        if (asking.signal.aborted) return
        setProblem(asReplyProblem(error))
        setPhase('refused')
      },
    )
    return () => asking.abort()
  }, [round])

  // The button that was pressed is gone by then: the keyboard goes on at the one that is left.
  useEffect(() => {
    if (phase === 'done' || phase === 'refused') close.current?.focus()
  }, [phase])

  async function confirm() {
    setPhase('doing')
    // Until it is answered, nobody knows how far it came: what is shown behind is read anew.
    done.current = { headline: 'It is not known how far this came', lines: [] }
    try {
      done.current = await run(false)
      setReport(done.current)
      setPhase('done')
    } catch (error) {
      setProblem(asReplyProblem(error))
      setPhase('refused')
    }
  }

  return (
    <Modal
      title={title}
      class="action"
      isBusy={phase === 'doing'}
      onClose={() => onClose(done.current)}
      footer={
        <>
          <button ref={close} type="button" onClick={closeDialog} disabled={phase === 'doing'} autofocus>
            {phase === 'asking' || (phase === 'asked' && count > 0) ? 'Cancel' : 'Close'}
          </button>
          {phase === 'done' && report?.more && (
            <button type="button" onClick={() => setRound(round + 1)}>
              Look for more
            </button>
          )}
          {phase === 'asked' && count > 0 && (
            <button type="button" class="danger main" onClick={() => void confirm()}>
              {confirmText(count)}
            </button>
          )}
        </>
      }
    >
      <p class="quiet">{phase === 'done' ? '' : advice}</p>
      <p role="status" class="headline">
        {phase === 'asking' && 'Asking the server what would happen …'}
        {phase === 'doing' && 'Under way …'}
        {(phase === 'asked' || phase === 'done') && report && `${report.headline}.`}
      </p>
      {phase === 'doing' && progress}
      {problem && phase === 'refused' && <ProblemNote problem={problem} />}
      {report && phase !== 'refused' && <Lines lines={report.lines} isDim={phase === 'asking' || phase === 'doing'} />}
    </Modal>
  )
}

/** First what is not as was asked for. */
const ranks: Record<ActionLine['kind'], number> = { failed: 0, left: 1, done: 2 }

function Lines({ lines, isDim }: { lines: readonly ActionLine[]; isDim: boolean }) {
  const sorted = [...lines].sort((a, b) => ranks[a.kind] - ranks[b.kind])
  return (
    <ul class={`lines${isDim ? ' waiting' : ''}`}>
      {sorted.map(({ id, name, owner, bytes, kind, text }) => (
        <li key={id} class={kind}>
          <span class="name">
            <bdi>{shownName(name)}</bdi>
            {owner !== null && (
              <span class="quiet">
                {' '}
                <bdi>{shownName(owner)}</bdi>
              </span>
            )}
          </span>
          <span class="number">{bytes === null ? '' : sizeText(bytes)}</span>
          <span class="what">{text}</span>
        </li>
      ))}
    </ul>
  )
}
